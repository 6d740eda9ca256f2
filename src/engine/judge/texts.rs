//! The regular expressions of all rules. One pass over a text tells which of them might match; those are tried.

use super::Judged;
use super::when::Test;
use crate::text::pattern::{Pattern, is_odd};
use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::OnceLock;

/// All patterns of all rules, each once.
#[derive(Default)]
pub struct Texts {
    patterns: Vec<Pattern>,
    places: HashMap<String, u32>,
    needles: Vec<String>,
    /// The patterns that have a needle, needle by needle.
    owners: Vec<Vec<u32>>,
    /// Finds the needles; made when it is first needed.
    finder: OnceLock<Option<AhoCorasick>>,
}

/// The patterns that might match a text.
#[derive(Debug)]
pub enum Found {
    /// These, in order, and those that have no needles.
    These(Vec<u32>),
    /// Any of them.
    Any,
}

impl Texts {
    /// Adds a pattern, or finds it if it is there, and gives its place.
    pub fn add(&mut self, pattern: &Pattern) -> u32 {
        if let Some(place) = self.places.get(pattern.as_str()) {
            return *place;
        }
        let place = u32::try_from(self.patterns.len()).unwrap_or(u32::MAX);
        self.patterns.push(pattern.clone());
        self.places.insert(pattern.as_str().to_owned(), place);
        place
    }

    /// Collects what to search for, when all have been added.
    pub fn seal(&mut self) {
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (pattern, place) in self.patterns.iter().zip(0u32..) {
            for needle in pattern.needles() {
                let owner = *places.entry(needle).or_insert_with(|| {
                    self.needles.push(needle.clone());
                    self.owners.push(Vec::new());
                    self.owners.len() - 1
                });
                self.owners.get_mut(owner).into_iter().for_each(|owners| owners.push(place));
            }
        }
        self.places = HashMap::new();
    }

    /// What finds the needles. Who calls it beforehand spares the first request the time.
    pub fn finder(&self) -> Option<&AhoCorasick> {
        let make = || {
            let mut builder = AhoCorasick::builder();
            builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard).prefilter(false);
            if self.needles.is_empty() { None } else { builder.build(&self.needles).ok() }
        };
        self.finder.get_or_init(make).as_ref()
    }

    /// The pattern at a place.
    pub fn pattern(&self, at: u32) -> Option<&Pattern> {
        self.patterns.get(at as usize)
    }

    /// Whether searching can tell anything of the pattern.
    pub fn has_needles(&self, at: u32) -> bool {
        self.pattern(at).is_some_and(|pattern| !pattern.needles().is_empty())
    }

    /// Finds the patterns that might match a text.
    pub fn search(&self, text: &str) -> Found {
        let Some(needles) = self.finder().filter(|_| !is_odd(text)) else {
            return Found::Any;
        };
        let mut found = Vec::new();
        let Ok(matches) = needles.try_find_overlapping_iter(text) else {
            return Found::Any;
        };
        for one in matches {
            found.extend(self.owners.get(one.pattern().as_usize()).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        Found::These(found)
    }

    /// Whether the pattern matches a text in which `found` was found.
    pub fn is_match(&self, at: u32, found: &Found, text: &str) -> bool {
        let might = match found {
            Found::Any => true,
            Found::These(places) => places.binary_search(&at).is_ok() || !self.has_needles(at),
        };
        might && self.pattern(at).is_some_and(|pattern| pattern.is_match(text))
    }

    /// The named groups of the patterns of `test` that match, as a JSON object; of a name that several have, the
    /// first.
    pub fn captures(&self, test: &Test, judged: &Judged<'_>) -> Option<Value> {
        let mut patterns = Vec::new();
        test.patterns(&mut patterns);
        let mut groups = Map::new();
        for (scope, at) in patterns {
            let Some(pattern) = self.pattern(at).filter(|pattern| !pattern.groups().is_empty()) else {
                continue;
            };
            let mut texts = judged.texts(scope).into_iter().flatten();
            let Some(found) = texts.find_map(|(text, _)| pattern.captures(text)) else {
                continue;
            };
            for name in pattern.groups() {
                if let Some(group) = found.name(name) {
                    groups.entry(name).or_insert_with(|| Value::from(group.as_str()));
                }
            }
        }
        (!groups.is_empty()).then_some(Value::Object(groups))
    }
}
