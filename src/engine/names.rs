//! The names that templates and conditions of the rules see, and where their values come from.

use super::Ms;
use crate::language::scope::{Env, Origin, Scope, Shape};
use crate::language::value::{Num, Val};
use crate::text::json::Doc;
use http::HeaderMap;

macro_rules! names {
    ($($variant:ident $text:literal $doc:literal),+ $(,)?) => {
        /// One root name.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Name { $(#[doc = $doc] $variant),+ }

        impl Name {
            /// Every name, in the order of the documentation.
            pub const ALL: &'static [Name] = &[$(Name::$variant),+];

            /// How it is written after the `$`.
            pub fn text(self) -> &'static str { match self { $(Name::$variant => $text),+ } }

            /// What it stands for, in one line.
            pub fn doc(self) -> &'static str { match self { $(Name::$variant => $doc),+ } }
        }
    };
}

names! {
    Doc "" "this document: the client's body, the provider's answer or error, or the data of a stream's event",
    Request "request" "the client's body, as it came",
    Upstream "upstream" "the body that was sent to the provider",
    Provider "provider" "the provider's parameters (`with`, and the mapping's defaults), its `name`, and `model`, its name of the model",
    Header "header" "the client's headers in requests, the provider's in answers",
    Status "status" "the provider's status",
    Model "model" "the model that the client asked for",
    Now "now" "when the request came, in milliseconds since 1970",
    Id "id" "the request's id: 24 characters of a-z and 0-9",
    Error "error" "an error as read, or as it is to be worded: `status`, `type`, `code`, `message`, `details`",
    Event "event" "the name of a stream's event",
    Key "key" "the provider's key",
    Match "match" "the named groups of a rule's `text`",
    Models "models" "the models that the rules list",
    Attempt "attempt" "the number of the attempt at this provider, from 1",
    Said "said" "the text that the client has read of a stream, without white space at its end",
    Path "path" "what stands in the holes of the route's path: `$path.id` for `/v1/models/{id}`, percent-encoding undone",
    SentKey "sent_key" "the key that was sent, never itself: `from` (`rules`, `client` or `none`), `name`, and `source`, the variable that it comes from",
    State "state" "what the protocol's `continue.stream` has noted of a stream that broke off",
}

/// The names that one kind of template sees, in the order of their slots.
pub type Names = &'static [Name];

/// All templates of a mapping file share these, and with them the file's fragments.
pub const MAPPING: Names = &[
    Name::Doc,
    Name::Request,
    Name::Upstream,
    Name::Provider,
    Name::Header,
    Name::Status,
    Name::Model,
    Name::Now,
    Name::Id,
    Name::Error,
    Name::Event,
];
/// Headers and paths of a request to a provider.
pub const OUTGOING: Names = &[
    Name::Doc,
    Name::Request,
    Name::Provider,
    Name::Header,
    Name::Model,
    Name::Now,
    Name::Id,
    Name::Path,
    Name::Key,
];
/// Conditions over one event of a stream, or over a whole answer; how an error is read.
pub const INCOMING: Names = &[Name::Doc, Name::Event, Name::Header, Name::Status];
/// How the router words an error.
pub const WORDING: Names = &[Name::Error, Name::Request, Name::Model, Name::Now, Name::Id];
/// Conditions of failover rules.
pub const FAILOVER: Names = &[
    Name::Doc,
    Name::Request,
    Name::Header,
    Name::Status,
    Name::Model,
    Name::Provider,
    Name::Attempt,
    Name::Error,
    Name::Now,
    Name::SentKey,
];
/// The message of a failover rule that refuses; `$match` stands last.
pub const REFUSING: Names = &[
    Name::Doc,
    Name::Request,
    Name::Header,
    Name::Status,
    Name::Model,
    Name::Provider,
    Name::Attempt,
    Name::Error,
    Name::Now,
    Name::Id,
    Name::SentKey,
    Name::Match,
];
/// The message when all have failed: no rule matched that.
pub const EXHAUSTED: Names = match REFUSING.split_last() {
    Some((_, names)) => names,
    None => &[],
};
/// Sources of a cool down's end.
pub const COOLING: Names = &[Name::Doc, Name::Match, Name::Header, Name::Status, Name::Error, Name::Now];
/// Conditions of routes, patches of requests, and answers that the rules give by themselves.
pub const ROUTING: Names = &[
    Name::Doc,
    Name::Request,
    Name::Header,
    Name::Model,
    Name::Models,
    Name::Provider,
    Name::Now,
    Name::Id,
    Name::Path,
];

/// The stream program of a protocol's `continue`.
pub const RESUMING: Names =
    &[Name::Doc, Name::Request, Name::Model, Name::Now, Name::Id, Name::Event, Name::Said];
/// The condition and the patch of a protocol's `continue`.
pub const RESUMED: Names =
    &[Name::Doc, Name::Request, Name::Model, Name::Provider, Name::Now, Name::Id, Name::Said, Name::State];

/// Repairs of requests.
pub const REPAIRING: Names =
    &[Name::Doc, Name::Request, Name::Header, Name::Model, Name::Provider, Name::Now, Name::Id, Name::Match];

/// The parts of a mapping, and which of [`MAPPING`] have a value there; elsewhere they are nothing.
pub const PARTS: &[(&str, Names)] = &[
    ("request, keep, headers", REQUEST_VALUES),
    ("response", ANSWER_VALUES),
    ("stream", STREAM_VALUES),
    ("error", ERROR_VALUES),
];
const REQUEST_VALUES: Names =
    &[Name::Doc, Name::Request, Name::Provider, Name::Header, Name::Model, Name::Now, Name::Id];
const ANSWER_VALUES: Names = &[
    Name::Doc,
    Name::Request,
    Name::Upstream,
    Name::Provider,
    Name::Header,
    Name::Status,
    Name::Model,
    Name::Now,
    Name::Id,
];
const STREAM_VALUES: Names = &[
    Name::Doc,
    Name::Request,
    Name::Upstream,
    Name::Provider,
    Name::Header,
    Name::Status,
    Name::Model,
    Name::Now,
    Name::Id,
    Name::Event,
];
const ERROR_VALUES: Names = &[
    Name::Doc,
    Name::Request,
    Name::Provider,
    Name::Header,
    Name::Status,
    Name::Model,
    Name::Now,
    Name::Id,
    Name::Error,
];

/// The other places with templates or conditions, and the names that they see.
pub const PLACES: &[(&str, Names)] = &[
    (
        "`path`, `auth` and `headers` of a protocol; `auth`, `headers`, `paths`, `query` and `models` of a provider",
        OUTGOING,
    ),
    ("a protocol's `whole`, `error`, and `content`, `end`, `finish` and `error` of its `stream`", INCOMING),
    ("a protocol's `fold` and `unfold`", STREAM_VALUES),
    ("a protocol's `errors` and `error_headers`, `ping`, `stop` and `failed` of its `stream`", WORDING),
    ("`when` of a failover rule", FAILOVER),
    ("`message` of `refuse` in a failover rule", REFUSING),
    ("`message` of `exhausted` in a route or a failover rule", EXHAUSTED),
    ("`cool_down.until`", COOLING),
    ("`when`, `answer`, `otherwise` and `refuse` of a route; a provider's `patch`", ROUTING),
    ("`stream` of a protocol's `continue`", RESUMING),
    ("`when` and `request` of a protocol's `continue`; `$provider` in `request` only", RESUMED),
    ("a repair's `patch`, `headers` and `header_lists`", REPAIRING),
];

/// A part of a mapping; see [`PARTS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// What is made of a request.
    Request,
    /// A whole answer.
    Response,
    /// A stream.
    Stream,
    /// An error.
    Error,
}

/// Says what part of a mapping compiles from here on: names without a value there are mistakes.
pub fn part(scope: &Scope, part: Part) {
    let (names, called) = match part {
        Part::Request => (REQUEST_VALUES, "templates over the request"),
        Part::Response => (ANSWER_VALUES, "templates over an answer"),
        Part::Stream => (STREAM_VALUES, "the stream"),
        Part::Error => (ERROR_VALUES, "templates over an error"),
    };
    let texts: Vec<&str> = names.iter().map(|name| name.text()).collect();
    scope.valued(&texts, called);
}

/// A compile-time scope with these names.
pub fn scope(names: Names) -> Scope {
    let texts: Vec<&str> = names.iter().map(|name| name.text()).collect();
    let scope = Scope::new(&texts);
    for name in names {
        let (shape, origin) = name.nature();
        scope.describe(name.text(), shape, origin);
    }
    scope
}

/// Notes that `$` is what a provider answers, in the templates that compile from here on.
pub fn answers(scope: &Scope) {
    scope.describe(Name::Doc.text(), Shape::Json, Origin::Provider);
}

impl Name {
    /// What its values are like, and whose they are where that is the same everywhere.
    fn nature(self) -> (Shape, Origin) {
        match self {
            Name::Status | Name::Event => (Shape::Scalar, Origin::Provider),
            Name::Model | Name::Now | Name::Id | Name::Key | Name::Attempt | Name::Said => {
                (Shape::Scalar, Origin::Ours)
            }
            Name::Header => (Shape::Fields, Origin::Ours),
            Name::Provider => (Shape::Json, Origin::Provider),
            Name::Doc
            | Name::Request
            | Name::Upstream
            | Name::Error
            | Name::Match
            | Name::Models
            | Name::Path
            | Name::SentKey
            | Name::State => (Shape::Json, Origin::Ours),
        }
    }
}

/// The values behind the names at one moment. What is not set is nothing.
#[derive(Clone, Default)]
pub struct View<'a> {
    /// `$`.
    pub doc: Option<&'a Doc>,
    /// `$request`.
    pub request: Option<&'a Doc>,
    /// `$upstream`.
    pub upstream: Option<&'a Doc>,
    /// `$provider`.
    pub provider: Option<&'a Doc>,
    /// `$header`.
    pub header: Option<&'a HeaderMap>,
    /// `$status`.
    pub status: Option<u16>,
    /// `$model`.
    pub model: Option<&'a str>,
    /// `$now`.
    pub now: Option<Ms>,
    /// `$id`.
    pub id: Option<&'a str>,
    /// `$error`.
    pub error: Option<&'a Doc>,
    /// `$event`.
    pub event: Option<&'a str>,
    /// `$key`.
    pub key: Option<&'a str>,
    /// `$match`.
    pub captures: Option<&'a Doc>,
    /// `$models`.
    pub models: Option<&'a Doc>,
    /// `$attempt`.
    pub attempt: Option<u32>,
    /// `$path`.
    pub path: Option<&'a Doc>,
    /// `$said`.
    pub said: Option<&'a str>,
    /// `$sent_key`.
    pub sent_key: Option<&'a Doc>,
    /// `$state`.
    pub state: Option<&'a Doc>,
}

impl<'a> View<'a> {
    /// An environment in which `names` have their values. `len` is the scope's length, `names` its first slots.
    pub fn env(&self, names: Names, len: usize) -> Env<'a> {
        Env::of(names.iter().map(|name| self.value(*name)), len)
    }

    /// One name's value.
    pub fn value(&self, name: Name) -> Val<'a> {
        let doc = |doc: Option<&'a Doc>| doc.map_or(Val::Nothing, |doc| Val::Json(doc.root()));
        let text = |text: Option<&'a str>| text.map_or(Val::Nothing, Val::str);
        let number = |number: Option<i64>| number.map_or(Val::Nothing, |n| Val::Num(Num::Int(n)));
        match name {
            Name::Doc => doc(self.doc),
            Name::Request => doc(self.request),
            Name::Upstream => doc(self.upstream),
            Name::Provider => doc(self.provider),
            Name::Header => self.header.map_or(Val::Nothing, Val::Headers),
            Name::Status => number(self.status.map(i64::from)),
            Name::Model => text(self.model),
            Name::Now => number(self.now),
            Name::Id => text(self.id),
            Name::Error => doc(self.error),
            Name::Event => text(self.event),
            Name::Key => text(self.key),
            Name::Match => doc(self.captures),
            Name::Models => doc(self.models),
            Name::Attempt => number(self.attempt.map(i64::from)),
            Name::Path => doc(self.path),
            Name::Said => text(self.said),
            Name::SentKey => doc(self.sent_key),
            Name::State => doc(self.state),
        }
    }
}
