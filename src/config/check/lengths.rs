//! Cool-downs whose length is another one than it reads, or none.

use std::time::Duration;

use super::names::uses;
use crate::config::model::{Action, CoolDown, Fact, FailoverRule, Rules};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::units::duration_text;
use crate::text::yaml::{Kind, Node};

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    for rule in super::failover::all(rules).filter(|rule| !rules.is_shipped(rule.name.span)) {
        if let Some(cool_down) = &rule.cool_down {
            bounds(cool_down, diags);
            nothing_found(rule, cool_down, diags);
        }
    }
}

/// A length of the rule's own that its own bounds change.
fn bounds(cool_down: &CoolDown, diags: &mut Diagnostics) {
    let lengths = [("for", cool_down.fixed), ("else", cool_down.otherwise)];
    for (name, length) in lengths.into_iter().filter_map(|(name, length)| Some((name, length?))) {
        let bound =
            |bound: &'static str, limit: Option<Duration>, is_beyond: fn(&Duration, &Duration) -> bool| {
                limit
                    .filter(|limit| is_beyond(&length, limit) && *limit > Duration::ZERO)
                    .map(|limit| (bound, limit))
            };
        let most = bound("at_most", cool_down.at_most, Duration::gt);
        let Some((bound, limit)) = most.or_else(|| bound("at_least", cool_down.at_least, Duration::lt))
        else {
            continue;
        };
        let (length, limit) = (duration_text(length), duration_text(limit));
        let message = format!("`{name}` is {length}, and `{bound}` makes {limit} of it");
        let diagnostic = Diagnostic::warning("out-of-bounds", message).at(cool_down.span);
        diags.push(
            diagnostic
                .label(format!("it is always {limit}"))
                .help(format!("write `{name}: {limit}`, or another `{bound}`")),
        );
    }
}

/// A time that only the answer can say, where it may say none.
fn nothing_found(rule: &FailoverRule, cool_down: &CoolDown, diags: &mut Diagnostics) {
    let is_only_said =
        cool_down.fixed.is_none() && cool_down.otherwise.is_none() && !cool_down.until.is_empty();
    // Who waits for as long as the answer says goes on to the next where it says nothing.
    let is_wait = matches!(rule.action, Action::Wait(_));
    if !is_only_said || is_wait || cool_down.until.iter().any(|source| is_found(rule, source)) {
        return;
    }
    let diagnostic =
        Diagnostic::warning("no-else", "an answer that says no time begins no cool down").at(cool_down.span);
    diags.push(diagnostic.label("without `else`").help("write for example `else: 1m`; or, if that is meant, ask for it in `when`: `header: { retry-after: { is: present } }`"));
}

/// Whether a source gives something whenever the rule fires: a time of the rule's own, what the condition asks for, or
/// a number that its pattern cannot do without.
fn is_found(rule: &FailoverRule, source: &Node) -> bool {
    let Some(text) = source.as_str() else { return false };
    if !text.contains(['$', '{']) {
        return true;
    }
    let mut is_asked = false;
    let mut groups = Vec::new();
    uses(source, "$match.", &mut groups);
    let mut see = |fact: &Fact| match fact {
        Fact::Header(table) => {
            is_asked |=
                table.names().any(|name| text.eq_ignore_ascii_case(&format!("$header.{}", name.text)));
        }
        Fact::Path(node) => {
            is_asked |= match &node.kind {
                Kind::Map(entries) => entries.iter().any(|(key, _)| key.text == text),
                _ => node.as_str() == Some(text),
            };
        }
        Fact::Text(patterns) | Fact::Message(patterns) | Fact::AnswerText(patterns) => {
            let is_number = |name: &str| {
                let group = format!("(?<{name}>\\d");
                patterns
                    .iter()
                    .all(|it| it.pattern.as_str().contains(&group) && !it.pattern.as_str().contains('|'))
            };
            is_asked |= groups.iter().any(|(name, _)| is_number(name));
        }
        _ => {}
    };
    rule.when.iter().flat_map(|when| &when.facts).for_each(&mut see);
    is_asked
}
