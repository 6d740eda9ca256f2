//! Conditions that count messages where the protocol does not say where they are.

use crate::config::model::{Count, Fact, Route, Rules, When};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    if rules.incomplete {
        return;
    }
    for route in &rules.routes {
        let conditions = route.failover.iter().filter_map(|rule| rule.when.as_ref());
        for when in conditions.chain(&route.when) {
            of(rules, std::slice::from_ref(route), when, diags);
        }
    }
    let own = rules.providers.iter().flat_map(|(_, provider)| &provider.failover);
    for when in rules.failover.iter().chain(own).filter_map(|rule| rule.when.as_ref()) {
        of(rules, &rules.routes, when, diags);
    }
}

/// A condition for what comes in on one of these routes.
fn of(rules: &Rules, routes: &[Route], when: &When, diags: &mut Diagnostics) {
    let mut asked: Option<Span> = None;
    when.visit(&mut |fact| {
        if let Fact::Count(Count::Messages, bounds) = fact {
            asked = asked.or(Some(bounds.span));
        }
    });
    let Some(at) = asked else { return };
    let known = || routes.iter().filter_map(|route| rules.protocol(route.protocol.as_ref()?));
    if routes.is_empty() || known().any(|protocol| protocol.messages.is_some()) {
        return;
    }
    let message = match known().next() {
        Some(protocol) => format!("`{}` does not say where its messages are", protocol.protocol.value),
        None => "without a protocol nothing says where the messages are".to_owned(),
    };
    let diagnostic = Diagnostic::warning("never-holds", message).at(at).label("never holds");
    diags.push(diagnostic.help("write `messages: $.messages` in the protocol's file"));
}
