//! Rules that read well and do not mean what they say: numbers taken for texts, fields that a stream does not have,
//! pauses that take all keys out.

use crate::config::model::{Fact, FailoverRule, Provider, Rules, When};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::units::StatusSet;
use crate::text::yaml::{Key, Kind, Node};

/// What is a number wherever it has a value.
const NUMBERS: [&str; 3] = ["$status", "$attempt", "$now"];
/// Matchers that only a text satisfies.
const OF_TEXTS: [&str; 3] = ["matches", "starts_with", "ends_with"];
/// Statuses that are about who asks, and not about the service.
const OF_AN_ACCOUNT: [u16; 4] = [401, 402, 403, 429];
/// The headers in which clients show keys.
const OF_KEYS: [&str; 2] = ["x-api-key", "authorization"];
/// How the fields of errors are usually called: those come by themselves, in a stream too.
const OF_ERRORS: [&str; 7] = ["err", "code", "msg", "message", "detail", "status", "success"];

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    for rule in rules.failover.iter().chain(rules.routes.iter().flat_map(|route| &route.failover)) {
        several_keys(rule, rules.providers.iter(), diags);
    }
    for (name, provider) in rules.providers.iter() {
        for rule in &provider.failover {
            several_keys(rule, std::iter::once((name, provider)), diags);
        }
    }
    taken_headers(rules, diags);
    for rule in super::failover::all(rules) {
        if let Some(when) = &rule.when {
            numbers(when, diags);
            good_streams(when, diags);
            routes(rules, when, diags);
        }
    }
}

/// A route's condition on a header that is taken out before routes are looked at, where it holds the router's own key.
fn taken_headers(rules: &Rules, diags: &mut Diagnostics) {
    if rules.access.as_ref().is_none_or(|access| access.value.keys.is_none()) {
        return;
    }
    for when in rules.routes.iter().filter_map(|route| route.when.as_ref()) {
        when.visit(&mut |fact| {
            let named: Vec<&Key> = match fact {
                Fact::Header(table) => table.names().collect(),
                Fact::Path(node) => entry(node).map(|(path, _)| path).into_iter().collect(),
                _ => Vec::new(),
            };
            for key in named {
                let name = key.text.trim_start_matches("$header.").to_ascii_lowercase();
                if !OF_KEYS.contains(&name.as_str()) {
                    continue;
                }
                let message = format!(
                    "`{name}` is taken out of a request where it holds the key that `access` asks for"
                );
                let diagnostic = Diagnostic::warning("taken-header", message).at(key.span);
                let diagnostic = diagnostic.label("so no route sees it then");
                diags.push(diagnostic.help("tell clients apart by a header of your own, such as `x-team`"));
            }
        });
    }
}

/// A pause for what concerns one account, of a provider that has several keys.
fn several_keys<'r>(
    rule: &FailoverRule,
    mut providers: impl Iterator<Item = (&'r Key, &'r Provider)>,
    diags: &mut Diagnostics,
) {
    let account = OF_AN_ACCOUNT.iter().map(|code| StatusSet::range(*code, *code));
    let account = account.fold(StatusSet::default(), StatusSet::or);
    let is_about_account =
        |fact: &Fact| matches!(fact, Fact::Status(set) if !set.is_empty() && set.without(account).is_empty());
    let Some(cool_down) = rule.cool_down.as_ref().filter(|it| it.scope.is_none()) else { return };
    if !rule.when.iter().flat_map(|when| &when.facts).any(is_about_account) {
        return;
    }
    let Some((name, provider)) = providers.find(|(_, provider)| provider.keys.len() > 1) else { return };
    let message = format!("this pause is for all {} keys of `{}`", provider.keys.len(), name.text);
    let diagnostic = Diagnostic::warning("all-keys", message).at(cool_down.span);
    diags.push(
        diagnostic.label("the other keys are not asked").note(name.span, "it has several").help(
            "write `scope: key` if one key's limit is meant, or `scope: provider` if it is one for all",
        ),
    );
}

/// A path with what is asked of it.
fn entry(node: &Node) -> Option<(&Key, &Node)> {
    match &node.kind {
        Kind::Map(entries) => entries.first().map(|(key, value)| (key, value)),
        _ => None,
    }
}

/// Numbers of which a text is wanted.
fn numbers(when: &When, diags: &mut Diagnostics) {
    when.visit(&mut |fact| {
        let Fact::Path(node) = fact else { return };
        let Some((path, wanted)) = entry(node) else { return };
        let of_texts = |(key, _): &(Key, Node)| OF_TEXTS.contains(&key.text.as_str());
        let is_text = match &wanted.kind {
            Kind::String(text) => !text.starts_with('$'),
            Kind::Map(entries) => entries.iter().any(of_texts),
            _ => false,
        };
        if NUMBERS.contains(&path.text.as_str()) && is_text {
            let message = format!("`{}` is a number, and this asks for a text", path.text);
            let diagnostic = Diagnostic::warning("never-holds", message).at(path.span).label("never holds");
            diags.push(diagnostic.help("write a number without quotes, or `{ at_least: 400, below: 500 }`"));
        }
    });
}

/// Fields of good answers: a stream is answered with before they come.
fn good_streams(when: &When, diags: &mut Diagnostics) {
    for fact in &when.facts {
        match fact {
            Fact::Any(parts) | Fact::All(parts) => parts.iter().for_each(|part| good_streams(part, diags)),
            Fact::Not(part) => good_streams(part, diags),
            _ => {}
        }
    }
    let good = StatusSet::range(200, 299);
    let is_good =
        |fact: &Fact| matches!(fact, Fact::Status(set) if !set.is_empty() && set.without(good).is_empty());
    let paths = || {
        when.facts.iter().filter_map(|fact| match fact {
            Fact::Path(node) => match node.as_str() {
                Some(text) => Some((text, node.span)),
                None => entry(node).map(|(key, _)| (key.text.as_str(), key.span)),
            },
            _ => None,
        })
    };
    let is_failure = |fact: &Fact| matches!(fact, Fact::Failure(_) | Fact::Phase(_) | Fact::Body(_));
    let says_so = || paths().any(|(path, _)| path.starts_with("$request.stream"));
    if !when.facts.iter().any(is_good) || when.facts.iter().any(is_failure) || says_so() {
        return;
    }
    for (path, span) in paths() {
        let Some(field) = path.strip_prefix("$.") else { continue };
        let field = field.trim_start_matches('.').split(['.', '[']).next().unwrap_or_default();
        if OF_ERRORS.iter().any(|word| field.to_ascii_lowercase().contains(word)) {
            continue;
        }
        let message = format!("`{path}` of a good answer is never seen in a stream");
        let diagnostic = Diagnostic::warning("not-in-streams", message).at(span);
        diags.push(diagnostic.label("looks at whole answers only").help(
            "if that is meant, write `$request.stream: { not: true }` beside it; `text` also sees what a stream has \
             brought before its content",
        ));
    }
}

/// Names of routes that there are not.
fn routes(rules: &Rules, when: &When, diags: &mut Diagnostics) {
    when.visit(&mut |fact| {
        let Fact::Route(globs) = fact else { return };
        let fits = |text: &str| globs.iter().any(|glob| glob.matches(text));
        let is_known = rules
            .routes
            .iter()
            .any(|route| fits(&route.path) || route.name.as_ref().is_some_and(|name| fits(name)));
        if !is_known && !rules.incomplete && !rules.routes.is_empty() {
            let wanted: Vec<&str> = globs.iter().map(|glob| glob.as_str()).collect();
            let message =
                format!("no route is called `{}`, nor is that a route's path", wanted.join("` or `"));
            let diagnostic =
                Diagnostic::warning("never-holds", message).at(when.span).label("in this condition");
            diags.push(diagnostic.help("write a route's `name` or `path`, or a pattern such as `/v1/*`"));
        }
    });
}
