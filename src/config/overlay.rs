//! What a provider says itself, laid over what the catalogue file says that it `uses`.
//!
//! This happens to YAML nodes, before anything is read from them: each keeps its place, so that whatever is
//! wrong is shown in the file where it stands.

use crate::text::yaml::{Key, Kind, Node};

/// The keys whose values are tables: an entry takes the place of the one with its name, the others stay.
const TABLES: [&str; 7] = ["with", "paths", "query", "headers", "header_lists", "timeouts", "repairs"];

/// The provider `own`, completed by `base`. What both say, `own` decides; tables are laid over one another
/// entry by entry; `models` and `failover`, where the first that fits decides, begin with its own.
pub fn overlay(own: &mut Node, base: &Node) {
    let (Kind::Map(own), Some(base)) = (&mut own.kind, base.as_map()) else { return };
    // `key` and `keys` are two ways of saying one thing.
    let other = |key: &str| match key {
        "key" => Some("keys"),
        "keys" => Some("key"),
        _ => None,
    };
    for (key, theirs) in base {
        if other(&key.text)
            .is_some_and(|other| own.iter().any(|(known, it)| known.text == other && !it.is_null()))
        {
            continue;
        }
        let Some((_, ours)) = own.iter_mut().find(|(known, _)| known.text == key.text) else {
            own.push((key.clone(), theirs.clone()));
            continue;
        };
        match key.text.as_str() {
            // A key with nothing after it means the same as no key.
            _ if ours.is_null() => *ours = theirs.clone(),
            "models" if catches_all(ours) => {}
            "models" => complete(ours, theirs),
            "failover" => append(ours, theirs),
            name if TABLES.contains(&name) => complete(ours, theirs),
            _ => {}
        }
    }
}

/// Adds the entries that are not there. One that says `null` is there, and takes away.
fn complete(ours: &mut Node, theirs: &Node) {
    let (Kind::Map(ours), Some(theirs)) = (&mut ours.kind, theirs.as_map()) else { return };
    let missing = |ours: &[(Key, Node)], name: &str| !ours.iter().any(|(known, _)| known.text == name);
    for (key, value) in theirs {
        if missing(ours, &key.text) {
            ours.push((key.clone(), value.clone()));
        }
    }
}

/// Whether a table of models has a name for every model, so that nothing after it would be looked at.
fn catches_all(models: &Node) -> bool {
    models.get("*").is_some() || models.get("**").is_some()
}

/// Adds the rules behind, but for those whose name is there.
fn append(ours: &mut Node, theirs: &Node) {
    let (Kind::List(ours), Some(theirs)) = (&mut ours.kind, theirs.as_list()) else { return };
    for rule in theirs {
        let name = rule.get("name");
        let known = ours
            .iter()
            .any(|own| name.is_some() && own.get("name").map(|it| &it.kind) == name.map(|it| &it.kind));
        if !known {
            ours.push(rule.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::diagnostic::FileId;
    use crate::text::yaml::parse;

    fn laid(own: &str, base: &str) -> String {
        let mut own = parse(FileId(0), own).unwrap();
        overlay(&mut own, &parse(FileId(1), base).unwrap());
        let mut out = Vec::new();
        own.to_json_bytes(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_provider_decides_what_it_says_itself() {
        assert_eq!(
            laid("{ url: a, key: k }", "{ url: b, speaks: p }"),
            r#"{"url":"a","key":"k","speaks":"p"}"#
        );
        assert_eq!(
            laid("{ url: , drop_headers: [] }", "{ url: b, drop_headers: [ c ] }"),
            r#"{"url":"b","drop_headers":[]}"#
        );
    }

    #[test]
    fn tables_are_laid_over_one_another() {
        assert_eq!(
            laid("with: { a: 1, b: null }", "with: { b: 2, c: 3 }"),
            r#"{"with":{"a":1,"b":null,"c":3}}"#
        );
        assert_eq!(
            laid("query: { api-version: 2 }", "query: { api-version: 1, beta: null }"),
            r#"{"query":{"api-version":2,"beta":null}}"#
        );
    }

    #[test]
    fn where_order_counts_the_own_come_first() {
        let models = "models: { x: X, '*': Y }";
        assert_eq!(laid("models: { a: A }", models), r#"{"models":{"a":"A","x":"X","*":"Y"}}"#);
        assert_eq!(laid("models: { '*': A }", models), r#"{"models":{"*":"A"}}"#);
        assert_eq!(
            laid("failover: [ { name: a, do: next } ]", "failover: [ { name: b }, { name: a } ]"),
            r#"{"failover":[{"name":"a","do":"next"},{"name":"b"}]}"#
        );
    }

    #[test]
    fn one_key_and_several_take_each_others_place() {
        assert_eq!(laid("{ keys: [ a ] }", "{ key: k }"), r#"{"keys":["a"]}"#);
        assert_eq!(
            laid("{ key: a }", "{ keys: [ k ], rotate: round_robin }"),
            r#"{"key":"a","rotate":"round_robin"}"#
        );
    }

    #[test]
    fn what_has_the_wrong_type_stays_to_be_told() {
        assert_eq!(
            laid("{ with: 1, failover: 2 }", "{ with: { a: 1 }, failover: [ { name: a } ] }"),
            r#"{"with":1,"failover":2}"#
        );
        assert_eq!(laid("3", "{ a: 1 }"), "3");
    }
}
