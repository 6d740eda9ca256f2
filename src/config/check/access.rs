//! Where the router listens, and who may use it.

use super::names::is_loopback;
use crate::config::model::{Access, ClientKey, Key, Origin, Rules};
use crate::config::variables;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    let listen = &rules.listen;
    let Some(listens_on_loopback) = is_loopback(listen) else {
        let message = format!("`{}` is not an address with a port", listen.value);
        let diagnostic = Diagnostic::error("bad-listen", message).at(listen.span).label("cannot listen here");
        diags.push(match variables::foreign(listen) {
            Some(name) => diagnostic.help(format!("a variable is written `${{{name}}}`")),
            None => {
                let bare = listen.split_once("://").map_or(listen.as_str(), |(_, bare)| bare);
                let port =
                    bare.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
                let port = port.unwrap_or(8000);
                diagnostic.help(format!(
                    "write for example 127.0.0.1:{port}, or 0.0.0.0:{port} to be reached by others"
                ))
            }
        });
        return;
    };
    let published = rules.published.as_ref().and_then(|it| Some((it.value.0?, it.span)));
    let loopback = published.map_or(listens_on_loopback, |(address, _)| address.to_canonical().is_loopback());
    let at = published.map_or(listen.span, |(_, span)| span);
    let access = rules.access.as_ref();
    match access.filter(|access| access.value.open || access.value.keys.is_some()) {
        None if !loopback => {
            let message =
                "the router would listen beyond this machine, and the rules do not say who may use it";
            let diagnostic = Diagnostic::error("no-access", message).at(at);
            diags.push(
                diagnostic
                    .label("not a loopback address")
                    .help(
                        "set RULEGATE_KEY, which the shipped rules read, to a key that clients have to show",
                    )
                    .help("or name the keys of clients: access: { keys: [\"sha256:...\"] }")
                    .help("or let everybody in, in so many words: access: open"),
            );
        }
        None => {}
        Some(access) => keys(rules, &access.value, access.span, diags),
    }
    access.into_iter().for_each(|access| pages(&access.value, diags));
    match &rules.admin_key {
        Some(key) => match &key.value {
            Key::Unset(names) => {
                let message = format!("the admin key is missing: {} is not set", names.join(", "));
                let diagnostic = Diagnostic::warning("no-key", message).at(key.span);
                diags.push(diagnostic.label("the admin paths are open on loopback only"));
            }
            Key::Value(_) => {}
            Key::Client | Key::None => {
                let diagnostic = Diagnostic::error("bad-key", "the admin key is a key").at(key.span);
                diags.push(diagnostic.label("this is a word for providers").help("write `${NAME}`"));
            }
        },
        None if !loopback => {
            let message =
                "there is no `admin_key`: providers cannot be switched, nor rules reloaded, over HTTP";
            let diagnostic = Diagnostic::warning("no-admin-key", message).at(at);
            diags.push(
                diagnostic.label("not a loopback address").help("write admin_key: ${RULEGATE_ADMIN_KEY}"),
            );
        }
        None => {}
    }
}

fn keys(rules: &Rules, access: &Access, span: Span, diags: &mut Diagnostics) {
    let Some(keys) = &access.keys else { return };
    if access.open {
        let message = "`open` lets everybody in, so `keys` says nothing";
        let diagnostic = Diagnostic::error("open-and-keys", message).at(span);
        diags.push(diagnostic.label("these contradict each other").help("take one of them out"));
        return;
    }
    let mut usable = 0;
    for key in keys {
        match &key.value {
            ClientKey::Unset(names) => {
                let message = format!("a client's key is missing: {} is not set", names.join(", "));
                let diagnostic = Diagnostic::warning("no-key", message).at(key.span);
                diags.push(diagnostic.label("this key lets nobody in"));
            }
            ClientKey::None => {}
            ClientKey::Digest(_) | ClientKey::Value(_) => usable += 1,
        }
    }
    if usable == 0 && !rules.incomplete {
        let diagnostic =
            Diagnostic::error("no-client-key", "no client has a key, so nobody can get in").at(span);
        let diagnostic = diagnostic.label("none of these is set");
        diags.push(diagnostic.help("set one, or let everybody in, in so many words: access: open"));
    }
}

/// All pages may be let in where a key is asked for, which a page has only from its user.
fn pages(access: &Access, diags: &mut Diagnostics) {
    let Some(all) = access.origins.iter().find(|origin| origin.value == Origin::Any) else { return };
    if access.keys.is_none() {
        let message = "without keys, `*` lets every web page that the user visits spend the user's money";
        let diagnostic = Diagnostic::error("open-to-pages", message).at(all.span);
        let help = "name the pages, such as https://chat.example or http://localhost:*, or add `keys`";
        diags.push(diagnostic.label("all pages").help(help));
    }
}
