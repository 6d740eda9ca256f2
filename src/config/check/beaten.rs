//! Common rules that never decide, since at each provider one of its own, mostly of the catalogue, comes before.

use crate::config::model::{Action, Fact, FailoverRule, Provider, Rules, When};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::units::StatusSet;
use crate::text::yaml::Key;

/// So many of the rules that come before are shown.
const SHOWN: usize = 3;
/// Rules beyond this number are not compared one by one.
const MOST: usize = 400_000;

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    let of_routes = rules.routes.iter().flat_map(|route| &route.failover);
    let common: Vec<&FailoverRule> =
        rules.failover.iter().chain(of_routes).filter(|rule| !rules.is_shipped(rule.name.span)).collect();
    let own: usize = rules.providers.iter().map(|(_, provider)| provider.failover.len()).sum();
    if common.len().saturating_mul(own) > MOST {
        return;
    }
    for rule in common {
        let asked = rules.providers.iter().filter(|(name, _)| is_about(rule, name));
        let before: Option<Vec<_>> =
            asked.map(|(name, provider)| Some((name, first_before(provider, rule)?))).collect();
        let Some(before) = before.filter(|before| !before.is_empty()) else { continue };
        let message =
            format!("the rule `{}` never decides: a provider's own rules come first", rule.name.value);
        let mut diagnostic =
            Diagnostic::warning("beaten", message).at(rule.name.span).label("beaten everywhere");
        for (name, own) in before.iter().take(SHOWN) {
            let note = format!("`{}` of `{}` fits all that it fits", own.name.value, name.text);
            diagnostic = diagnostic.note(own.name.span, note);
        }
        let help = "leave it out, or write it under `failover` of the provider: what stands there comes before what the provider \
                    `uses`";
        diags.push(diagnostic.help(help));
    }
}

/// Whether the rule says nothing of providers, or names this one.
fn is_about(rule: &FailoverRule, name: &Key) -> bool {
    let facts = rule.when.iter().flat_map(|when| &when.facts);
    let mut named = facts.filter_map(|fact| match fact {
        Fact::Provider(names) => Some(names),
        _ => None,
    });
    named.all(|names| names.iter().any(|it| it.value == name.text))
}

/// The provider's own rule that comes before a common one and fires whenever that would.
fn first_before<'r>(provider: &'r Provider, rule: &FailoverRule) -> Option<&'r FailoverRule> {
    let decides = |own: &&FailoverRule| {
        let passes_on = matches!(&own.action, Action::Repair(repair) if repair.otherwise.is_none());
        !own.shadow && !passes_on && own.last <= rule.last
    };
    let narrow: Vec<&Fact> = rule.when.iter().flat_map(|when| &when.facts).collect();
    provider.failover.iter().filter(decides).find(|own| match &own.when {
        None => true,
        Some(wide) => covers(wide, &narrow, false),
    })
}

/// Whether `wide` holds whenever all the narrow facts do. Only what is plain to see is seen. `has_status`: what stands
/// around it names a status.
fn covers(wide: &When, narrow: &[&Fact], has_status: bool) -> bool {
    let good = StatusSet::range(200, 299);
    let sees_good = |fact: &&Fact| match fact {
        Fact::Status(set) => !set.and(good).is_empty(),
        Fact::Any(_) | Fact::All(_) | Fact::Not(_) | Fact::AnswerText(_) => true,
        _ => false,
    };
    let has_status = has_status || wide.facts.iter().any(|fact| matches!(fact, Fact::Status(_)));
    // A condition without a status does not see good answers; `any` in the narrow one is looked at part by part below.
    let holds = |narrow: &[&Fact]| {
        (has_status
            || !narrow.iter().any(sees_good)
            || wide.facts.iter().all(|it| matches!(it, Fact::Any(_) | Fact::All(_))))
            && wide.facts.iter().all(|fact| implied(fact, narrow, has_status))
    };
    if holds(narrow) {
        return true;
    }
    let Some(Fact::Any(parts)) = narrow.iter().find(|fact| matches!(fact, Fact::Any(_))) else {
        return false;
    };
    let others: Vec<&Fact> = narrow.iter().copied().filter(|fact| !matches!(fact, Fact::Any(_))).collect();
    !parts.is_empty()
        && parts.iter().all(|part| holds(&others.iter().copied().chain(&part.facts).collect::<Vec<_>>()))
}

/// Whether one fact holds whenever all the narrow ones do.
fn implied(wide: &Fact, narrow: &[&Fact], has_status: bool) -> bool {
    match wide {
        Fact::Constant(value) => *value,
        Fact::Any(parts) => parts.iter().any(|part| covers(part, narrow, has_status)),
        Fact::All(parts) => parts.iter().all(|part| covers(part, narrow, has_status)),
        wide => narrow.iter().any(|narrow| super::failover::implies(narrow, wide)),
    }
}
