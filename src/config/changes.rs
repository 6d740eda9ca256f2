//! What differs in meaning between two loaded rules: providers, rules, routes and settings, by name. Comments, layout and
//! order of keys are no difference, and no value is ever told.

use super::model::{FailoverRule, Key, Provider, Route, Rules};
use super::values::Spanned;
use std::fmt::{self, Debug, Display};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A field by its key, and a mark that tells whether its value is the same.
pub type Part = (&'static str, u64);

/// So many changes are told one by one.
const SHOWN: usize = 20;

/// What rules mean, as far as two of them can be compared.
#[derive(Clone, Debug, Default)]
pub struct Meaning {
    groups: Vec<Group>,
}

/// Things of one kind, in order.
#[derive(Clone, Debug)]
struct Group {
    kind: &'static str,
    /// Whether their order means anything.
    ordered: bool,
    things: Vec<Thing>,
}

/// A thing with a name that is its own within the group.
#[derive(Clone, Debug)]
struct Thing {
    name: String,
    parts: Vec<Part>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What kind of thing: a provider, a rule.
    pub kind: &'static str,
    /// Its name; empty for a setting that there is once.
    pub name: String,
    /// What became of it.
    pub how: How,
}

/// What became of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Added,
    /// It is no longer there.
    Gone,
    /// It stands elsewhere among its like.
    Moved,
    /// It differs in these keys.
    Changed(Vec<&'static str>),
}

impl Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.name.is_empty() { "" } else { " " };
        write!(out, "{}{space}{} ", self.kind, self.name)?;
        match &self.how {
            How::Added => out.write_str("added"),
            How::Gone => out.write_str("gone"),
            How::Moved => out.write_str("moved"),
            How::Changed(keys) if keys.iter().all(|key| key.is_empty()) => out.write_str("changed"),
            How::Changed(keys) => write!(out, "changed ({})", keys.join(", ")),
        }
    }
}

/// The changes as they are told: a bounded number one by one, and how many more there are.
pub fn told(changes: &[Change]) -> Vec<String> {
    let mut lines: Vec<String> = changes.iter().take(SHOWN).map(ToString::to_string).collect();
    match changes.len().saturating_sub(SHOWN) {
        0 if lines.is_empty() => vec!["nothing changed in meaning".to_owned()],
        0 => lines,
        more => {
            lines.push(format!("and {more} more"));
            lines
        }
    }
}

impl Meaning {
    /// What these rules mean.
    pub fn of(rules: &Rules) -> Meaning {
        let mut rule_things = Group::new("rule", true);
        rule_things.rules("", &rules.failover);
        let mut providers = Group::new("provider", true);
        for (name, provider) in rules.providers.iter() {
            rule_things.rules(&format!("{}: ", name.text), &provider.failover);
            providers.add(name.text.clone(), provider_parts(provider));
        }
        let mut routes = Group::new("route", true);
        for route in &rules.routes {
            let name = route_name(route);
            rule_things.rules(&format!("{name}: "), &route.failover);
            let is_own = |part: &Part| !["name", "failover"].contains(&part.0);
            routes.add(name, route.parts().into_iter().filter(is_own).collect());
        }
        let mut protocols = Group::new("protocol file", false);
        for protocol in rules.protocols.iter().filter(|it| !rules.is_shipped(it.protocol.span)) {
            protocols.add(protocol.protocol.value.clone(), protocol.parts());
        }
        let mut mappings = Group::new("mapping", false);
        for mapping in rules.mappings.iter().filter(|it| !rules.is_shipped(it.mapping.from.span)) {
            let pair = &mapping.mapping;
            let is_meant = |part: &Part| part.0 != "tests";
            let parts = mapping.parts().into_iter().filter(is_meant).collect();
            mappings.add(format!("{} -> {}", pair.from.value, pair.to.value), parts);
        }
        Meaning { groups: vec![providers, routes, rule_things, protocols, mappings, settings(rules)] }
    }

    /// What is otherwise than in `before`.
    pub fn changes_since(&self, before: &Meaning) -> Vec<Change> {
        let nothing = Group::new("", false);
        let mut changes = Vec::new();
        for now in &self.groups {
            let before = before.groups.iter().find(|it| it.kind == now.kind).unwrap_or(&nothing);
            now.changes_since(before, &mut changes);
        }
        changes
    }
}

impl Group {
    fn new(kind: &'static str, ordered: bool) -> Group {
        Group { kind, ordered, things: Vec::new() }
    }

    /// Adds a thing; a name that is there already gets a number.
    fn add(&mut self, name: String, parts: Vec<Part>) {
        let same = self
            .things
            .iter()
            .filter(|it| it.name == name || it.name.starts_with(&format!("{name} (")))
            .count();
        let name = if same == 0 { name } else { format!("{name} ({})", same + 1) };
        self.things.push(Thing { name, parts });
    }

    fn rules(&mut self, whose: &str, rules: &[FailoverRule]) {
        for rule in rules {
            self.add(format!("{whose}{}", rule.name.value), rule.parts());
        }
    }

    fn changes_since(&self, before: &Group, changes: &mut Vec<Change>) {
        let place = |of: &Group, name: &str| of.things.iter().position(|it| it.name == name);
        let mut change =
            |name: &str, how: How| changes.push(Change { kind: self.kind, name: name.to_owned(), how });
        // What stands where it stood, seen from the others that were there before.
        let order: Vec<usize> = self.things.iter().filter_map(|thing| place(before, &thing.name)).collect();
        let stayed = longest_rise(&order);
        for thing in &self.things {
            let Some(was) = place(before, &thing.name) else {
                change(&thing.name, How::Added);
                continue;
            };
            let differs = thing.parts.iter().filter(|part| {
                let old = before.things.get(was).and_then(|old| old.parts.iter().find(|it| it.0 == part.0));
                old != Some(part)
            });
            let keys: Vec<&'static str> = differs.map(|part| part.0).collect();
            if !keys.is_empty() {
                change(&thing.name, How::Changed(keys));
            }
            if self.ordered && !stayed.contains(&was) {
                change(&thing.name, How::Moved);
            }
        }
        for old in before.things.iter().filter(|old| place(self, &old.name).is_none()) {
            change(&old.name, How::Gone);
        }
    }
}

/// The longest run of rising numbers that is left when others are taken out: what has not moved.
fn longest_rise(order: &[usize]) -> Vec<usize> {
    // For each length the run with the least end, and for each number the one before it in its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::new();
    let number = |at: &usize| order.get(*at).copied().unwrap_or_default();
    for (at, value) in order.iter().enumerate() {
        let length = ends.partition_point(|end| number(end) < *value);
        before.push(length.checked_sub(1).and_then(|last| ends.get(last).copied()));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let last = ends.last().copied();
    std::iter::successors(last, |at| before.get(*at).copied().flatten()).map(|at| number(&at)).collect()
}

fn route_name(route: &Route) -> String {
    let named = route.name.as_ref().map(|name| name.value.clone());
    named.unwrap_or_else(|| format!("{} {}", route.method.word(), route.path.value))
}

/// A provider's fields. Its rules are things of their own; its keys are told apart by their digests.
fn provider_parts(provider: &Provider) -> Vec<Part> {
    let mut parts = provider.parts();
    parts.retain(|part| part.0 != "failover");
    let keys = mark(&provider.all_keys().map(key_label).collect::<Vec<_>>());
    for part in
        parts.iter_mut().filter(|part| part.0 == if provider.keys.is_empty() { "key" } else { "keys" })
    {
        part.1 ^= keys;
    }
    parts
}

fn key_label(key: &Spanned<Key>) -> String {
    match &key.value {
        Key::Value(secret) => secret.label("rules"),
        other => format!("{other:?}"),
    }
}

/// What there is once.
fn settings(rules: &Rules) -> Group {
    let mut group = Group::new("setting", false);
    let mut set = |name: &str, parts: Vec<Part>| group.add(name.to_owned(), parts);
    let whole = |value: u64| vec![("", value)];
    let admin_key = rules.admin_key.as_ref().map(key_label);
    let mut access = rules.access.as_ref().map(|it| it.value.parts()).unwrap_or_default();
    let keys = rules.access.as_ref().map(|it| it.value.key_labels());
    access.iter_mut().filter(|part| part.0 == "keys").for_each(|part| part.1 ^= mark(&keys));
    set("listen", whole(mark(&(&rules.listen, &rules.published))));
    set("tls", whole(mark(&rules.tls)));
    set("models", whole(mark(&rules.models)));
    set("timeouts", rules.timeouts.parts());
    set("limits", rules.limits.parts());
    set("decisions", rules.decisions.parts());
    set("recovery", rules.recovery.parts());
    set("access", access);
    set("admin_key", whole(mark(&admin_key)));
    set("proxy", whole(mark(&rules.proxy)));
    set("state", whole(mark(&rules.state)));
    set("spread", whole(mark(&rules.spread)));
    set("health", whole(mark(&rules.health)));
    set("repairs", whole(mark(&rules.repairs)));
    group
}

/// Equal for values that mean the same, wherever they stand.
pub fn mark(value: &impl Debug) -> u64 {
    let text = format!("{value:?}");
    let mut hasher = DefaultHasher::new();
    for (place, piece) in text.split("Span { ").enumerate() {
        let after_place =
            if place == 0 { Some(piece) } else { piece.split_once('}').map(|(_, after)| after) };
        after_place.unwrap_or(piece).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::longest_rise;

    #[test]
    fn as_few_as_can_be_have_moved() {
        let table: [(&[usize], &[usize]); 6] = [
            (&[], &[]),
            (&[0, 1, 2], &[0, 1, 2]),
            (&[2, 0, 1], &[0, 1]),
            (&[1, 2, 0], &[1, 2]),
            (&[2, 1, 0], &[0]),
            (&[0, 3, 1, 2, 4], &[0, 1, 2, 4]),
        ];
        for (order, stayed) in table {
            let mut found = longest_rise(order);
            found.sort_unstable();
            assert_eq!(found, stayed, "{order:?}");
        }
    }
}
