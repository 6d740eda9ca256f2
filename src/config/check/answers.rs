//! `answer_text` where it can never hold: beside what only errors have, and for more than a short answer has.

use crate::config::model::{Fact, FailoverRule, Rules, When};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::units::StatusSet;

/// A good answer with more characters is no notice.
const LONGEST: usize = 300;

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    for rule in super::failover::all(rules).filter(|rule| !rules.is_shipped(rule.name.span)) {
        if let Some(when) = &rule.when {
            with_errors(rule, when, &[], diags);
            too_long(when, diags);
        }
    }
}

/// Conditions that want an error and the words of a good answer at once. `outer` are the facts that hold beside `when`.
fn with_errors<'w>(rule: &FailoverRule, when: &'w When, outer: &[&'w Fact], diags: &mut Diagnostics) {
    let mut facts = outer.to_vec();
    flatten(when, &mut facts);
    let wants_words = facts.iter().any(|fact| matches!(fact, Fact::AnswerText(_)));
    let wanted = facts.iter().find_map(|fact| match fact {
        Fact::Status(set) if set.and(StatusSet::range(200, 299)).is_empty() => Some(format!("status {set}")),
        Fact::Failure(_) => Some("a failure".to_owned()),
        _ => None,
    });
    if let Some(wanted) = wanted.filter(|_| wants_words) {
        let message =
            format!("the condition of `{}` never holds: {wanted} is no good answer", rule.name.value);
        let diagnostic = Diagnostic::warning("answer-of-an-error", message).at(when.span);
        let help = "`answer_text` looks at good answers only: write `text` or `message` for an error's words, or leave the \
                    status out";
        diags.push(diagnostic.label("`answer_text` beside it").help(help));
        return;
    }
    for fact in facts.clone() {
        if let Fact::Any(parts) = fact {
            let others: Vec<&Fact> =
                facts.iter().copied().filter(|other| !std::ptr::eq(*other, fact)).collect();
            parts.iter().filter(|part| part.has_answer_text() || wants_words).for_each(|part| {
                with_errors(rule, part, &without_choices(&others), diags);
            });
        }
    }
}

/// What has to hold, `all` undone.
fn flatten<'w>(when: &'w When, facts: &mut Vec<&'w Fact>) {
    for fact in &when.facts {
        match fact {
            Fact::All(parts) => parts.iter().for_each(|part| flatten(part, facts)),
            fact => facts.push(fact),
        }
    }
}

/// Each choice is looked at by itself, so that the work does not multiply.
fn without_choices<'w>(facts: &[&'w Fact]) -> Vec<&'w Fact> {
    facts.iter().copied().filter(|fact| !matches!(fact, Fact::Any(_))).collect()
}

/// Patterns that need more characters than a short answer has.
fn too_long(when: &When, diags: &mut Diagnostics) {
    when.visit(&mut |fact| {
        let Fact::AnswerText(patterns) = fact else { return };
        for pattern in patterns.iter() {
            let shortest = pattern.pattern.shortest();
            if shortest > LONGEST {
                let message = format!("this matches nothing shorter than {shortest} characters");
                let diagnostic = Diagnostic::warning("longer-than-a-notice", message).at(pattern.span);
                let diagnostic =
                    diagnostic.label(format!("an answer of more than {LONGEST} is never looked at"));
                diags.push(diagnostic.help(
                    "write how the notice begins: the pattern has to match from its first character on",
                ));
            }
        }
    });
}
