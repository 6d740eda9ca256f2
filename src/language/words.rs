//! Words of the language that need no more than a line: the tables that checking, suggestions and docs share.

/// A word and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word as it stands in the file.
    pub name: &'static str,
    /// What it means, in one line.
    pub doc: &'static str,
}

/// One line of a table.
pub(super) const fn word(name: &'static str, doc: &'static str) -> Word {
    Word { name, doc }
}

/// The names of a table.
pub fn names(table: &'static [Word]) -> impl Iterator<Item = &'static str> + Clone {
    table.iter().map(|word| word.name)
}

/// Whether the table has the name.
pub fn knows(table: &'static [Word], name: &str) -> bool {
    names(table).any(|known| known == name)
}

/// The names of a table as people read them in a row.
pub fn listed(table: &'static [Word]) -> String {
    names(table).collect::<Vec<_>>().join(", ")
}

/// The words of conditions, besides paths.
pub const CONDITIONS: &[Word] = &[
    word("any", "one condition of the list holds"),
    word("all", "all conditions of the list hold"),
    word("not", "the condition does not hold"),
];

/// What an edit of a patch can be.
pub const EDITS: &[Word] = &[
    word("set", "`{ path: template }`: puts a value there; what is missing on the way is made"),
    word("default", "`{ path: template }`: the same, only where nothing stands"),
    word("remove", "`[paths]`: takes out all that the paths select"),
    word("append", "`{ path: template }`: adds an item at the end of a list that is there"),
    word("when", "a condition; the `patch` beside it is made only if it holds"),
    word("patch", "a list of edits, beside `when`"),
];

/// The parts of a stream program.
pub const PROGRAM: &[Word] = &[
    word("state", "names with the values they begin with; a value lives as long as the stream"),
    word("blocks", "kinds of blocks, by name"),
    word("before", "runs once, ahead of the first event that leaves"),
    word("event", "runs for each event; `$` is its data"),
    word("done", "runs for the data that ends a stream, such as `[DONE]`; without it that is a good end"),
    word("undecodable", "runs for data that is no JSON; `$` is its text; without it the stream fails"),
    word("eof", "runs when the bytes are over; without it, and if nothing ended the stream, it was cut off"),
    word(
        "timer",
        "runs when the stream has been silent for the protocol's `grace`; only `end` and `fail` change anything",
    ),
    word("end", "runs once at the good end, when all blocks are closed"),
    word(
        "whole",
        "in a protocol's `fold`: the whole body, over `$emitted` and the state, when the stream has ended well",
    ),
];

/// Steps that may stand as a bare word: `end` is short for `{ end: true }`.
pub const BARE_STEPS: &[&str] = &["close", "commit", "end"];

/// The words of a step.
pub const STEPS: &[Word] = &[
    word("when", "a condition: what else the step has is done only if it holds"),
    word("else", "steps for when the `when` beside it does not hold"),
    word("let", "`{ name: template }`: names for the rest of this step and the steps after it"),
    word("for", "a list: what else the step has is done for each item"),
    word("as", "the name of the item, beside `for`"),
    word(
        "add",
        "`{ block: part, key: template, field: template }`: a part for a block; empty ones add nothing",
    ),
    word("set", "`{ name: template }`: changes the state"),
    word(
        "index",
        "`{ name: { key: template, value: template } }`: adds a value (the key itself where `value` is absent) to an index in the state, for `$find` and `in`",
    ),
    word("emit", "a template, or a list of them: each is an event that leaves; nothing makes none"),
    word("steps", "a list of steps"),
    word("close", "`true` closes the open blocks"),
    word("commit", "`true`: the answer begins here, though no block has begun"),
    word("end", "`true` ends the stream well: blocks are closed, then the handler `end` runs"),
    word("fail", "`{ status, type, message }`: the stream has failed"),
];

/// The words of an entry of the step `index`.
pub const INDEXED: &[Word] = &[
    word("key", "the key; without one nothing is added"),
    word("value", "what is found under it; the key itself where this is absent"),
];

/// The words of a kind of block.
pub const BLOCKS: &[Word] = &[
    word("begin", "the event, or events, with which it begins"),
    word("part", "the event for each part; the part is `$part`"),
    word("end", "the event, or events, with which it ends"),
    word(
        "keyed",
        "`true`: several may be under way at once, told apart by `key`; each leaves whole, in order of arrival",
    ),
    word(
        "once",
        "names of fields that keep their first value; they are `$block.NAME`, and the first one also tells blocks apart",
    ),
    word("ready", "a condition: it does not begin before this holds; parts wait"),
    word(
        "whole",
        "a matcher for its parts joined: if it holds, the block may end when the next one is ready",
    ),
];

/// The names that a stream program has besides those of all templates.
pub const STREAM_NAMES: &[Word] = &[
    word("$state", "the state, by name: `$state.finish`"),
    word("$event", "the event's name, if it has one"),
    word("$part", "in a block's `part`: what was added"),
    word(
        "$block",
        "in a block's events: `$block.index` (from 0, in order of beginning), `$block.key`, and the fields of `once`; `$block.twin`: an earlier one had the same first field of `once`; in the `end` of a keyed block also `$block.text`, its parts joined",
    ),
    word("$blocks", "the kinds of which a block has begun, a list of names"),
    word("$begun", "how many blocks of a kind have begun: `$begun.text`"),
    word("$emitted", "in the `whole` of a `fold`: all that was emitted, a list"),
];
