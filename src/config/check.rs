//! Finds everything that is wrong with rules that could be read: names that lead nowhere, values that cannot
//! be meant, rules that never fire. Templates and conditions are judged where they are compiled.

mod access;
mod addresses;
mod answers;
mod beaten;
mod counts;
mod evidence;
mod failover;
mod health;
mod lengths;
mod limits;
mod links;
mod meaning;
mod names;
mod parameters;
mod protocols;
mod providers;
mod refusals;
mod routes;
mod rule_tests;
mod tls;

pub(super) use failover::zone;
pub use links::own as own_tls;

use std::collections::HashMap;

use super::model::Rules;
use super::values::Spanned;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};

/// Judges the rules as a whole. `diags` has what was said while they were read; all that is found goes there
/// too, in the order of the files.
pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    let mut found = Diagnostics::new();
    access::check(rules, &mut found);
    limits::check(rules, &mut found);
    tls::check(rules, &mut found);
    protocols::check(rules, &mut found);
    providers::check(rules, &mut found);
    routes::check(rules, &mut found);
    failover::check(rules, &mut found);
    answers::check(rules, &mut found);
    beaten::check(rules, &mut found);
    lengths::check(rules, &mut found);
    meaning::check(rules, &mut found);
    counts::check(rules, &mut found);
    refusals::check(rules, &mut found);
    health::check(rules, &mut found);
    rule_tests::check(rules, diags, &mut found);
    for catalog in rules.catalog.iter().filter(|catalog| !rules.is_shipped_catalog(catalog)) {
        if let Some(alone) = catalog.alone(rules, false, &mut Diagnostics::new()) {
            rule_tests::names(&alone, &mut found);
        }
    }
    let (broken, misnamed) = (diags.has_errors(), misnamed(rules));
    let mut news = Diagnostics::new();
    news.extend(found.into_vec().into_iter().filter(|found| match found.code {
        "no-key" => true,
        // Nothing is left because what was there could not be read.
        "no-providers" | "no-routes" | "no-client-key" if broken => false,
        // It follows from a name that leads nowhere, and may be in a file that nobody has written.
        "unknown-parameter" | "no-mapping" | "never-asked" | "unreachable" if misnamed => false,
        // A file that builds on the shipped rules means to come before them.
        "unreachable" if covers_shipped(rules, found) => false,
        // What stands for a variable that is not set is no address, no name and no path.
        _ => found.span.is_none_or(|at| !rules.unset.contains(&at)),
    }));
    diags.append_news(news);
    diags.sort();
}

/// Whether a protocol or a provider is named that there is not: what is said to ask whom cannot be judged then.
fn misnamed(rules: &Rules) -> bool {
    let is_protocol = |name: &Spanned<String>| rules.protocol(name).is_some();
    let is_provider = |name: &Spanned<String>| providers::names(rules).any(|known| known == name.value);
    rules.routes.iter().any(|route| {
        !route.protocol.iter().all(is_protocol) || !route.providers.iter().flatten().all(is_provider)
    }) || rules.providers.iter().any(|(_, provider)| !provider.speaks.iter().all(is_protocol))
}

/// Whether something of the shipped rules is said to be covered by what a file of one's own says.
fn covers_shipped(rules: &Rules, found: &Diagnostic) -> bool {
    let is_shipped = |at: Span| rules.as_shipped.contains(&at.file);
    found.span.is_some_and(is_shipped) && found.notes.iter().any(|(at, _)| !is_shipped(*at))
}

/// Reports names that stand twice in a list.
fn twice<'n>(what: &str, names: impl Iterator<Item = (&'n str, Span)>, diags: &mut Diagnostics) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for (name, span) in names {
        match seen.get(name) {
            Some(first) => {
                let diagnostic = Diagnostic::error("named-twice", format!("{what} `{name}` is there twice"));
                diags.push(diagnostic.at(span).label("again here").note(*first, "first here"));
            }
            None => {
                seen.insert(name, span);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::builtin;
    use crate::config::files::Memory;
    use crate::config::load::load;

    #[test]
    fn the_rules_inside_the_program_are_right() {
        let loaded = load(&Memory::default(), Path::new(builtin::MAIN), &|name| {
            name.ends_with("_KEY").then(|| "sk-some-key".into())
        });
        let rules = loaded.rules.unwrap();
        let mut diags = loaded.diagnostics;
        super::check(&rules, &mut diags);
        assert_eq!(diags.render(&loaded.sources, false), "");
    }

    #[test]
    fn a_provider_without_a_key_is_reported_once_and_is_no_mistake() {
        let loaded = load(&Memory::default(), Path::new(builtin::MAIN), &|_| None);
        let rules = loaded.rules.unwrap();
        let mut diags = loaded.diagnostics;
        super::check(&rules, &mut diags);
        assert!(!diags.has_errors());
        assert_eq!(diags.iter().filter(|found| found.code == "no-key").count(), rules.providers.len());
        assert_eq!(diags.len(), rules.providers.len());
    }
}
