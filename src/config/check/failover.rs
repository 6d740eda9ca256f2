//! Failover rules: names, repairs, cool downs, and rules that never fire.

use std::collections::HashMap;
use std::time::Duration;

use super::evidence;
use super::names::uses;
use super::providers::known;
use crate::config::model::{
    Action, CoolDown, Fact, FailoverRule, Provider, RequestRepair, Rules, Spanned, Table, When,
};
use crate::config::values::unknown_name;
use crate::text::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::text::units::{StatusSet, in_words, instant_from, is_zone};
use crate::text::yaml::Node;

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    let no_own = Table::default();
    list(rules, &rules.failover, &no_own, diags);
    for route in &rules.routes {
        list(rules, &route.failover, &no_own, diags);
    }
    for (_, provider) in rules.providers.iter() {
        list(rules, &provider.failover, &provider.repairs, diags);
        if !rules.incomplete {
            unused(&provider.repairs, provider.failover.iter(), diags);
        }
    }
    if !rules.incomplete {
        unused(&rules.repairs, all(rules), diags);
    }
    probes(rules, diags);
}

/// Repairs that no rule uses.
fn unused<'r>(
    repairs: &Table<RequestRepair>,
    by: impl Iterator<Item = &'r FailoverRule>,
    diags: &mut Diagnostics,
) {
    let used: Vec<&str> = by
        .filter_map(|rule| match &rule.action {
            Action::Repair(repair) => Some(repair.name.value.as_str()),
            _ => None,
        })
        .collect();
    for name in repairs.names().filter(|name| !used.contains(&name.text.as_str())) {
        let diagnostic = Diagnostic::warning("unused", format!("no rule uses the repair `{}`", name.text));
        diags.push(diagnostic.at(name.span).label("never used"));
    }
}

/// All rules, of providers and routes too.
pub fn all(rules: &Rules) -> impl Iterator<Item = &FailoverRule> {
    let own = rules.providers.iter().flat_map(|(_, provider): (_, &Provider)| provider.failover.iter());
    rules.failover.iter().chain(own).chain(rules.routes.iter().flat_map(|route| &route.failover))
}

fn list(rules: &Rules, list: &[FailoverRule], own: &Table<RequestRepair>, diags: &mut Diagnostics) {
    super::twice("the rule", list.iter().map(|rule| (rule.name.value.as_str(), rule.name.span)), diags);
    let mut list: Vec<&FailoverRule> = list.iter().collect();
    list.sort_by_key(|rule| rule.last);
    let mut always: Option<&FailoverRule> = None;
    let mut before = Earlier::default();
    for rule in list {
        let covered = if always.is_none() { before.covering(rule) } else { None };
        if covered.is_none() {
            before.add(rule);
        }
        let is_meant = |first: &FailoverRule| rules.is_laid_over(first.name.span, rule.name.span);
        if let Some(first) = covered.filter(|first| !is_meant(first)) {
            let message = format!("the rule `{}` never fires", rule.name.value);
            let diagnostic =
                Diagnostic::warning("unreachable", message).at(rule.name.span).label("never fires");
            let note = "this one fits all that it fits";
            diags.push(diagnostic.note(first.name.span, note).help("write it above"));
        }
        if let Some(first) = always.filter(|first| !is_meant(first)) {
            let message = format!("the rule `{}` never fires", rule.name.value);
            let diagnostic =
                Diagnostic::warning("unreachable", message).at(rule.name.span).label("never fires");
            diags
                .push(diagnostic.note(first.name.span, "this one fits every failure").help("write it above"));
        } else if always.is_none() && !rule.shadow && rule.when.as_ref().is_none_or(When::is_always) {
            always = Some(rule);
        }
        if let Some(when) = &rule.when {
            providers(rules, when, diags);
        }
        action(rules, own, &rule.action, diags);
        if let Some(cool_down) = &rule.cool_down {
            times(cool_down, diags);
            literals(cool_down, diags);
            evidence::check(cool_down, diags);
            captures(rule, cool_down.until.iter(), diags);
        }
        if let Action::Refuse(action) = &rule.action {
            captures(rule, std::iter::once(&action.refuse.message), diags);
        }
        if let Action::Repair(repair) = &rule.action {
            let repairs = || own.iter().chain(rules.repairs.iter());
            let made = repairs().find(|(name, _)| name.text == repair.name.value);
            captures(rule, made.iter().map(|(_, repair)| &repair.node), diags);
        }
    }
}

/// Rules that stand further up, by what a rule that they cover has to hold: so that thousands are checked in no time.
#[derive(Default)]
struct Earlier<'r> {
    by_pattern: HashMap<&'r str, Vec<(usize, &'r FailoverRule)>>,
    others: Vec<(usize, &'r FailoverRule)>,
    count: usize,
}

impl<'r> Earlier<'r> {
    fn add(&mut self, rule: &'r FailoverRule) {
        let entry = (self.count, rule);
        self.count += 1;
        if !may_cover(rule) {
            return;
        }
        let mut patterns = patterns(rule).peekable();
        if patterns.peek().is_none() {
            self.others.push(entry);
        }
        patterns.for_each(|pattern| self.by_pattern.entry(pattern).or_default().push(entry));
    }

    /// The first that fires whenever this rule would.
    fn covering(&self, rule: &FailoverRule) -> Option<&'r FailoverRule> {
        let with_pattern = patterns(rule).filter_map(|pattern| self.by_pattern.get(pattern)).flatten();
        let found = with_pattern.chain(&self.others).filter(|(_, first)| covers(first, rule));
        found.min_by_key(|(place, _)| *place).map(|(_, first)| *first)
    }
}

/// The regular expressions in the facts of a rule.
fn patterns(rule: &FailoverRule) -> impl Iterator<Item = &str> {
    let facts = rule.when.iter().flat_map(|when| &when.facts);
    facts.flat_map(|fact| match fact {
        Fact::Text(patterns) | Fact::Message(patterns) => {
            patterns.iter().map(|it| it.pattern.as_str()).collect()
        }
        _ => Vec::new(),
    })
}

/// May [`covers`] hold of the rule and a later one? Not if it lets others have their turn, or looks at more than
/// [`implies`] knows of.
fn may_cover(rule: &FailoverRule) -> bool {
    let passes_on = matches!(&rule.action, Action::Repair(repair) if repair.otherwise.is_none());
    let is_known =
        |fact: &Fact| matches!(fact, Fact::Status(_) | Fact::Failure(_) | Fact::Text(_) | Fact::Message(_));
    let facts = rule.when.as_ref().map(|when| &*when.facts).unwrap_or_default();
    !rule.shadow && !passes_on && !facts.is_empty() && facts.iter().all(is_known)
}

/// Does the first rule fire whenever the later one would? Only what is plain to see is seen.
fn covers(first: &FailoverRule, later: &FailoverRule) -> bool {
    let (Some(wide), Some(narrow)) = (&first.when, &later.when) else {
        return false;
    };
    let is_status = |fact: &Fact| matches!(fact, Fact::Status(_));
    let sees_good =
        |fact: &Fact| matches!(fact, Fact::Status(set) if !set.and(StatusSet::range(200, 299)).is_empty());
    wide.facts.iter().all(|wide| narrow.facts.iter().any(|narrow| implies(narrow, wide)))
        && !narrow.facts.iter().any(|fact| matches!(fact, Fact::Constant(_)))
        // A condition without a status does not see good answers.
        && (wide.facts.iter().any(is_status) || !narrow.facts.iter().any(sees_good))
}

/// Does the wide fact hold whenever the narrow one does?
pub(super) fn implies(narrow: &Fact, wide: &Fact) -> bool {
    match (narrow, wide) {
        (Fact::Status(narrow), Fact::Status(wide)) => narrow.without(*wide).is_empty(),
        (Fact::Failure(narrow), Fact::Failure(wide)) => {
            narrow.iter().all(|kind| wide.iter().any(|it| it.value == kind.value))
        }
        (Fact::Text(narrow), Fact::Text(wide)) | (Fact::Message(narrow), Fact::Message(wide)) => {
            let is_in = |text: &str| wide.iter().any(|it| it.pattern.as_str() == text);
            narrow.iter().all(|it| is_in(it.pattern.as_str()))
        }
        _ => false,
    }
}

fn providers(rules: &Rules, when: &When, diags: &mut Diagnostics) {
    when.visit(&mut |fact| {
        if let Fact::Provider(names) = fact {
            for name in names.iter() {
                known(rules, name, diags);
            }
        }
    });
}

fn action(rules: &Rules, own: &Table<RequestRepair>, action: &Action, diags: &mut Diagnostics) {
    match action {
        Action::Repair(repair) if !rules.incomplete => {
            let names = || own.names().chain(rules.repairs.names()).map(|name| name.text.as_str());
            if !names().any(|name| name == repair.name.value) {
                diags.push(unknown_name("repair", &repair.name, names()));
            }
        }
        Action::Retry(retry) if retry.times.value == 0 => {
            let diagnostic =
                Diagnostic::error("bad-retry", "a retry happens at least once").at(retry.times.span);
            diags.push(diagnostic.label("never retries").help("write `do: next`"));
        }
        Action::Wait(wait) if wait.wait.times == 0 || wait.wait.at_most == Duration::ZERO => {
            let diagnostic = Diagnostic::error("bad-retry", "a wait of no length is none").at(wait.wait.span);
            diags.push(diagnostic.label("never waits").help("write `do: next`"));
        }
        _ => {}
    }
}

fn times(cool_down: &CoolDown, diags: &mut Diagnostics) {
    let says = !cool_down.until.is_empty() || cool_down.fixed.is_some() || cool_down.otherwise.is_some();
    if !says {
        let diagnostic = Diagnostic::error("bad-cool-down", "this cool down has no time").at(cool_down.span);
        diags.push(diagnostic.label("how long?").help("write `for`, or `until` with `else`"));
    }
    if cool_down.fixed.is_some() && !cool_down.until.is_empty() {
        let diagnostic = Diagnostic::error("bad-cool-down", "a cool down has `for` or `until`, not both");
        diags.push(diagnostic.at(cool_down.span).label("this one has both").help("use `else` with `until`"));
    }
    if let (Some(least), Some(most)) = (cool_down.at_least, cool_down.at_most)
        && least > most
    {
        let diagnostic = Diagnostic::error("bad-cool-down", "`at_least` is more than `at_most`");
        diags.push(diagnostic.at(cool_down.span).label("no time fits"));
    }
    zone(cool_down.zone.as_ref(), diags);
    if let Some(grow) = &cool_down.grow {
        let diagnostic = |message: &str| Diagnostic::error("bad-cool-down", message).at(grow.span);
        if grow.value < 2 {
            diags.push(diagnostic("`grow` is 2 or more").label("does not grow"));
        }
        if cool_down.at_most.is_none() {
            diags.push(diagnostic("`grow` needs `at_most`").label("without bounds"));
        }
        if cool_down.fixed.is_none() && cool_down.otherwise.is_none() {
            let what = diagnostic("`grow` needs `for` or `else`").label("what the answer says does not grow");
            diags.push(what);
        }
    }
    if cool_down.at_most == Some(Duration::ZERO) {
        let diagnostic = Diagnostic::error("bad-cool-down", "`at_most: 0` leaves no time at all");
        diags.push(diagnostic.at(cool_down.span).label("never cools down"));
    }
}

/// A time zone has to be known.
pub fn zone(zone: Option<&Spanned<String>>, diags: &mut Diagnostics) {
    if let Some(zone) = zone.filter(|zone| !is_zone(&zone.value)) {
        let diagnostic = Diagnostic::error("unknown-zone", format!("there is no time zone `{}`", zone.value));
        diags.push(diagnostic.at(zone.span).label("unknown").help("write a name such as `Europe/Berlin`"));
    }
}

/// A text in `until` that looks at nothing has to be a time itself.
fn literals(cool_down: &CoolDown, diags: &mut Diagnostics) {
    let zone = cool_down.zone.as_ref().map(|zone| zone.value.as_str());
    for node in cool_down.until.iter() {
        let Some(text) = node.as_str().filter(|text| !text.contains(['$', '{'])) else { continue };
        if instant_from(text, 0).or_else(|| in_words(text, 0, zone)).is_none() {
            let diagnostic = Diagnostic::error("unclear-time", format!("`{text}` is understood as no time"));
            diags.push(diagnostic.at(node.span).label("never a moment").help(
                "write a path such as `$header.retry-after`, or a time such as `midnight`, `8pm`, `2026-09-12 00:35` or `3 hours`",
            ));
        }
    }
}

/// `$match.NAME` needs a group of that name in a `text` of the same rule.
fn captures<'n>(rule: &FailoverRule, used_in: impl Iterator<Item = &'n Node>, diags: &mut Diagnostics) {
    let mut groups = Vec::new();
    if let Some(when) = &rule.when {
        when.visit(&mut |fact| {
            if let Fact::Text(patterns) | Fact::Message(patterns) | Fact::AnswerText(patterns) = fact {
                groups.extend(patterns.iter().flat_map(|it| it.pattern.groups()).map(String::as_str));
            }
        });
    }
    let mut used = Vec::new();
    used_in.for_each(|template| uses(template, "$match.", &mut used));
    for (name, node) in used {
        if groups.contains(&name.as_str()) {
            continue;
        }
        let message = format!("no `text` of the rule `{}` has a group `{name}`", rule.name.value);
        let diagnostic = Diagnostic::error("unknown-group", message).at(node.span).label("never found");
        diags.push(match did_you_mean(&name, groups.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("write `(?<{name}>...)` in the regular expression")),
        });
    }
}

/// A provider that is down until a probe finds it well needs a probe.
fn probes(rules: &Rules, diags: &mut Diagnostics) {
    let probed =
        |name: &str| rules.health.iter().any(|probe| probe.provider.iter().any(|it| it.value == name));
    let tell = |rule: &FailoverRule, names: Vec<&str>, diags: &mut Diagnostics| {
        if rule.down.is_some() && !names.is_empty() {
            let message = format!("no probe would bring back {}", names.join(", "));
            let diagnostic = Diagnostic::warning("no-probe", message).at(rule.name.span);
            diags.push(diagnostic.label("`down: until_probed`").help("write a probe for it under `health`"));
        }
    };
    let unprobed = || rules.providers.names().map(|key| key.text.as_str()).filter(|name| !probed(name));
    for rule in &rules.failover {
        tell(rule, unprobed().collect(), diags);
    }
    for (name, provider) in rules.providers.iter() {
        for rule in &provider.failover {
            tell(rule, unprobed().filter(|it| *it == name.text).collect(), diags);
        }
    }
}
