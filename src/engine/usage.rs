//! How many tokens an answer says that it took. Where it says so stands in the protocol's file.

use super::names::{INCOMING, View};
use super::protocol::Protocol;
use crate::language::Template;
use crate::language::value::{Num, Val};
use crate::text::json::{Doc, JsonKind};
use crate::text::path::Path;
use memchr::memmem::Finder;

/// Tokens, as far as an answer tells them. No token is in two of the first four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the request, what stood in no cache.
    pub input: Option<u64>,
    /// Of the request, what was read from a cache.
    pub cache_read: Option<u64>,
    /// Of the request, what was written to a cache.
    pub cache_write: Option<u64>,
    /// Of the answer, reasoning included.
    pub output: Option<u64>,
    /// The part of `output` that is reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// The names of all counts.
    pub const NAMES: [&'static str; 5] = ["input", "cache_read", "cache_write", "output", "reasoning"];

    /// All counts, in the order of [`Usage::NAMES`].
    pub fn counts(&self) -> [Option<u64>; 5] {
        [self.input, self.cache_read, self.cache_write, self.output, self.reasoning]
    }

    /// Returns whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Usage::default()
    }

    /// Takes in what the same answer says later: counts only grow.
    pub fn update(&mut self, later: Usage) {
        *self = self.with(later, Ord::max);
    }

    /// Adds what another answer took.
    pub fn add(&mut self, other: Usage) {
        *self = self.with(other, |one, other| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        });
    }

    fn with(&self, other: Usage, join: impl Fn(Option<u64>, Option<u64>) -> Option<u64>) -> Usage {
        Usage {
            input: join(self.input, other.input),
            cache_read: join(self.cache_read, other.cache_read),
            cache_write: join(self.cache_write, other.cache_write),
            output: join(self.output, other.output),
            reasoning: join(self.reasoning, other.reasoning),
        }
    }
}

/// Reads the tokens out of whole answers and of the events of streams.
#[derive(Default)]
pub struct UsageReader {
    /// Where an object with counts may stand.
    pub(in crate::engine) at: Vec<Path>,
    /// The names of that object, in quotes.
    pub(in crate::engine) names: Vec<Finder<'static>>,
    /// The counts, in the order of [`Usage::NAMES`]; templates over [`INCOMING`], in which `$` is the object.
    pub(in crate::engine) counts: [Option<Template>; 5],
}

impl UsageReader {
    /// Returns whether such an object may stand in this text: cheap, and needs no parsing. Many providers send
    /// `"usage":null` with every event, so that the name alone is not enough.
    pub fn may_be_in(&self, text: &[u8]) -> bool {
        self.names.iter().any(|name| {
            name.find_iter(text).any(|at| {
                let rest = text.get(at + name.needle().len()..).unwrap_or_default().trim_ascii_start();
                rest.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"{"))
            })
        })
    }

    /// What an event says whose data is this.
    pub fn read_event(&self, data: &[u8]) -> Usage {
        match self.may_be_in(data) {
            true => Doc::parse(data.to_vec()).map_or_else(|_| Usage::default(), |doc| self.read(&doc)),
            false => Usage::default(),
        }
    }

    /// What an event or a whole answer says.
    pub fn read(&self, doc: &Doc) -> Usage {
        let root = doc.root();
        let object = |path: &Path| path.first(root, root).filter(|it| it.kind() == JsonKind::Object);
        let Some(found) = self.at.iter().find_map(object) else { return Usage::default() };
        let Ok(doc) = Doc::parse(found.bytes().to_vec()) else { return Usage::default() };
        let view = View { doc: Some(&doc), ..View::default() };
        let mut env = view.env(INCOMING, INCOMING.len());
        let [input, cache_read, cache_write, output, reasoning] =
            self.counts.each_ref().map(|count| number(&count.as_ref()?.value(&mut env).ok()?));
        Usage { input, cache_read, cache_write, output, reasoning }
    }
}

impl Protocol {
    /// The tokens that a whole answer, or an event, says it took.
    pub fn usage(&self, doc: &Doc) -> Usage {
        self.usage.as_ref().map_or_else(Usage::default, |reader| reader.read(doc))
    }
}

/// A count of tokens. One that is computed may come out below nothing where a provider's numbers do not fit together.
fn number(value: &Val<'_>) -> Option<u64> {
    match value.as_num()? {
        Num::Int(count) => Some(u64::try_from(count).unwrap_or_default()),
        Num::Float(_) => None,
    }
}
