use std::time::Duration;

use super::*;
use crate::config::values::{Spanned, Table};
use crate::text::diagnostic::Sources;
use crate::text::yaml;

record! {
    /// A thing
    /// of two lines.
    pub struct Thing: "a thing" {
        /// Its name.
        name: Spanned<String>,
        /// How long.
        wait("for"): Duration = Duration::from_secs(1),
        /// How often.
        times: Option<u32>,
        /// Which.
        colour: Option<Colour>,
        /// Others.
        parts: Table<Thing>,
    }
}

words! {
    /// Colours.
    pub enum Colour: "a colour" {
        /// Red.
        Red = "red",
        /// Green.
        Green = "green",
    }
}

fn read(text: &str) -> (Option<Thing>, String) {
    let mut sources = Sources::new();
    let file = sources.add("a.yaml", text);
    let mut diags = Diagnostics::new();
    let thing = Thing::from_node(&yaml::parse(file, text).unwrap(), &mut diags);
    (thing, diags.render(&sources, false))
}

#[test]
fn a_record_is_read_with_defaults() {
    let (thing, said) =
        read("name: a\nparts: { b: { name: b, for: 2s, times: 3, colour: red, x-mine: 1 } }\ntimes:\n");
    let thing = thing.unwrap();
    assert_eq!(said, "");
    assert_eq!(thing.name.value, "a");
    assert_eq!(thing.wait, Duration::from_secs(1));
    assert_eq!(thing.times, None);
    let part = thing.parts.get("b").unwrap();
    assert_eq!((part.wait, part.times, part.colour), (Duration::from_secs(2), Some(3), Some(Colour::Red)));
    assert_eq!(part.colour.map(Colour::word), Some("red"));
}

#[test]
fn all_mistakes_are_found_in_one_go() {
    let (thing, said) = read("nmae: a\nfor: 3 parsecs\ntimes: often\ncolour: gren\nparts: { b: 1, c: {} }\n");
    assert!(thing.is_none());
    for words in [
        "a thing has no key `nmae`",
        "did you mean `name`?",
        "a duration is wanted here",
        "a whole number is wanted here",
        "`gren` is not a colour",
        "did you mean `green`?",
        "a thing is a mapping",
        "a.yaml:5:19",
    ] {
        assert!(said.contains(words), "{words} in:\n{said}");
    }
}

#[test]
fn a_misspelt_key_is_not_missing_as_well() {
    // At the top it is misspelt; in `b` another unknown key stands for nothing.
    let (thing, said) = read("nmae: a\nparts: { b: { shape: round } }\n");
    assert!(thing.is_none());
    assert_eq!(said.matches("a thing needs `name`").count(), 1, "{said}");
    assert!(said.contains("did you mean `name`?") && said.contains("a.yaml:2:15"), "{said}");
}

#[test]
fn the_schema_says_the_same() {
    let mut schemas = Schemas::default();
    let root = Thing::schema(&mut schemas);
    assert_eq!(root, json!({ "$ref": "#/$defs/Thing" }));
    let definitions = schemas.into_definitions();
    let thing = definitions.get("Thing").unwrap();
    assert_eq!(thing["required"], json!(["name"]));
    assert_eq!(thing["description"], "A thing of two lines.");
    assert_eq!(thing["properties"]["for"]["description"], "How long.");
    assert_eq!(thing["properties"]["parts"]["additionalProperties"], root);
}
