//! The way to a provider: proxies, and the certificates of its TLS.

use crate::config::certificates::{self, OwnTls};
use crate::config::model::{Provider, ProviderTls, Rules};
use crate::config::proxies;
use crate::config::values::Spanned;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};

pub fn check(rules: &Rules, provider: &Provider, seen: &mut Vec<(Span, String)>, diags: &mut Diagnostics) {
    if let Err(wrong) = proxies::to(rules, provider) {
        // The rules' own proxy stands in one place for many providers.
        let once = (wrong.span, wrong.reason.clone());
        if !seen.contains(&once) {
            seen.push(once);
            let message = match &wrong.variable {
                Some(name) => format!("the variable `{name}` cannot be used"),
                None => "a proxy's address is wanted here".to_owned(),
            };
            let diagnostic = Diagnostic::error("bad-proxy", message).at(wrong.span).label(wrong.reason);
            diags.push(diagnostic.help(
                "write for example http://proxy.example:3128 or socks5h://${NAME}:${PASSWORD}@proxy.example:1080, `env` or `none`",
            ));
        }
    }
    if let Some(tls) = &provider.tls {
        own(rules, tls, diags);
        if provider.url.value.starts_with("http://") {
            let diagnostic = Diagnostic::warning("unused", "this provider's address is not encrypted");
            diags.push(diagnostic.at(tls.span).label("does nothing").note(provider.url.span, "http"));
        }
    }
}

/// What a provider's `tls` says; what is wrong with it is reported.
pub fn own(rules: &Rules, tls: &ProviderTls, diags: &mut Diagnostics) -> Option<OwnTls> {
    let mut found = OwnTls::default();
    if let Some(ca) = &tls.ca {
        found.roots = read(rules, ca, certificates::roots, diags)?;
    }
    match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let chain = read(rules, certificate, certificates::certificates, diags)?;
            found.identity = Some(read(rules, key, |pem| certificates::identity(chain.clone(), pem), diags)?);
        }
        (None, None) => {}
        (Some(alone), None) | (None, Some(alone)) => {
            let diagnostic = Diagnostic::error("half-identity", "a certificate and its key go together");
            diags.push(diagnostic.at(alone.span).label("alone").help("write `certificate` and `key`"));
        }
    }
    Some(found)
}

/// Reads a file that the loader has found; one that it has not was reported there.
fn read<T>(
    rules: &Rules,
    path: &Spanned<String>,
    read: impl Fn(&[u8]) -> Result<T, String>,
    diags: &mut Diagnostics,
) -> Option<T> {
    let file = rules.file(path)?;
    match read(&file.bytes) {
        Ok(found) => Some(found),
        Err(reason) => {
            let message = format!("{} cannot be used", file.path);
            diags.push(Diagnostic::error("bad-certificate", message).at(path.span).label(reason));
            None
        }
    }
}
