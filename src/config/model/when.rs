//! The conditions of failover rules and routes: facts by name, and paths into the body.

use serde_json::{Map, Value, json};

use super::{Bounds, Pattern, Several, Spanned, Table, bounds, hours};
use crate::config::record::{FromNode, Schemas, head_span, words, wrong_type};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::text::units::{Glob, Hours, StatusSet};
use crate::text::yaml::{Key, Kind, Node};

/// A condition: all facts must hold.
#[derive(Clone, Debug)]
pub struct When {
    /// Where it stands.
    pub span: Span,
    /// All of these hold; none at all means always.
    pub facts: Vec<Fact>,
}

/// One thing that is looked at.
#[derive(Clone, Debug)]
pub enum Fact {
    /// `true` or `false`.
    Constant(bool),
    /// One of these holds.
    Any(Vec<When>),
    /// All of these hold.
    All(Vec<When>),
    /// This does not hold.
    Not(Box<When>),
    /// The status is one of these.
    Status(StatusSet),
    /// The text of the error matches one of these; named groups become `$match.NAME`.
    Text(Several<Pattern>),
    /// The error's message matches one of these; named groups become `$match.NAME`.
    Message(Several<Pattern>),
    /// The words of a short answer begin like one of these; named groups become `$match.NAME`.
    AnswerText(Several<Pattern>),
    /// What the body really is.
    Body(Several<BodyKind>),
    /// How far the attempt had come.
    Phase(Several<Phase>),
    /// Whether the client had begun to read the answer.
    Committed(bool),
    /// The route's name or its path fits one of these.
    Route(Several<Glob>),
    /// The name of the provider's key that was used fits one of these.
    Key(Several<Glob>),
    /// What went wrong is one of these.
    Failure(Several<Spanned<FailureKind>>),
    /// A header satisfies a matcher; all of them must.
    Header(Table<Node>),
    /// The model that the client asked for fits one of these.
    Model(Several<Glob>),
    /// The provider is one of these.
    Provider(Several<Spanned<String>>),
    /// The number of this attempt at the same provider, from 1, satisfies a matcher.
    Attempt(Node),
    /// The mapping had to drop one of these from the request.
    Dropped(Several<Glob>),
    /// Something that can be counted in the request is one of these numbers.
    Count(Count, Bounds),
    /// It is one of these times: `time`, `days` and `zone`.
    Hours(Hours),
    /// A path, or one path with its matcher: a condition of the mapping language.
    Path(Node),
}

impl When {
    /// Whether it holds whatever happens.
    pub fn is_always(&self) -> bool {
        self.facts.iter().all(|fact| match fact {
            Fact::Constant(value) => *value,
            Fact::All(conditions) => conditions.iter().all(When::is_always),
            Fact::Any(conditions) => conditions.iter().any(When::is_always),
            _ => false,
        })
    }

    /// Whether it looks at the words of good answers anywhere.
    pub fn has_answer_text(&self) -> bool {
        let mut found = false;
        self.visit(&mut |fact| found |= matches!(fact, Fact::AnswerText(_)));
        found
    }

    /// Shows every fact, also those within others.
    pub fn visit<'w>(&'w self, see: &mut dyn FnMut(&'w Fact)) {
        for fact in &self.facts {
            see(fact);
            match fact {
                Fact::Any(conditions) | Fact::All(conditions) => {
                    conditions.iter().for_each(|condition| condition.visit(see));
                }
                Fact::Not(condition) => condition.visit(see),
                _ => {}
            }
        }
    }
}

/// The facts by name, with what they are; paths come beside them.
pub const FACTS: &[(&str, &str)] = &[
    ("any", "One of these conditions holds."),
    ("all", "All of these conditions hold."),
    ("not", "This condition does not hold."),
    (
        "status",
        "The status: 429, 5xx, 500-504, or a list of them. Of an error inside a good answer two are looked at: the one that came, and the one that the error's type or code stands for (`$error.status`).",
    ),
    ("text", "A regular expression over the text of the error; named groups become `$match.NAME`."),
    (
        "message",
        "A regular expression over the error's message alone, as the protocol's `error` reads it (or a web page's title); named groups become `$match.NAME`.",
    ),
    (
        "answer_text",
        "A regular expression that the words of a good answer of at most 300 characters begin with: a limit notice in the place of an answer. A stream is held back as long as it may become one; where the words stand is said by the protocol's `text`. Named groups become `$match.NAME`.",
    ),
    ("body", "What the body really is, told by its first bytes, whatever its content type says."),
    ("failure", "What went wrong, if there is no answer or not a whole one."),
    ("phase", "How far the attempt had come when it failed."),
    (
        "committed",
        "Whether the client had begun to read the answer: then only the provider's standing can change.",
    ),
    (
        "header",
        "Headers: matchers by name. A number is compared with what the header says as a number: `{ retry-after: { above: 60 } }`.",
    ),
    ("model", "The model that the client asked for: a name or a pattern."),
    ("provider", "The provider's name."),
    ("route", "The route's name, or its path: a text or a pattern."),
    ("key", "The name of the provider's key that was used: a name or a pattern."),
    ("attempt", "The number of this attempt at the same provider, from 1."),
    (
        "dropped",
        "What the mapping had to drop from the request, by the names of its `losses`; judged before the request is sent.",
    ),
    (
        "size",
        "The size of the client's body in bytes, as the router reads it, decompressed: `{ above: 1MiB }`.",
    ),
    (
        "tokens",
        "How many tokens the texts in the client's body make, by the same estimate as `$tokens` of mappings: `{ above: 100000 }`. It is made only where a rule asks, once a request.",
    ),
    (
        "messages",
        "How many messages the client's body has, where the client's protocol says (`messages` in its file): `{ above: 200 }`. A single text is one. Of a protocol that does not say, nothing holds.",
    ),
    (
        "time",
        "The time of day: `\"22:00-06:00\"`, or a list of such. The first is in it, the second is not. A range over midnight belongs to the day on which it begins.",
    ),
    ("days", "The day of the week: `mon-fri`, `sat`, or a list of such; `sat-mon` goes over Sunday."),
    (
        "zone",
        "The time zone of `time` and `days`: a name such as `Europe/Berlin`, or an offset such as `UTC+8`. Default: UTC, whatever `zone` a provider or a cool down has.",
    ),
];

words! {
    /// What can be counted in a request.
    pub enum Count: "something to count" {
        /// The bytes of its body.
        Size = "size",
        /// The tokens of its texts, by an estimate.
        Tokens = "tokens",
        /// Its messages.
        Messages = "messages",
    }

    /// What a body really is.
    pub enum BodyKind: "a kind of body" {
        /// A JSON object or list.
        Json = "json",
        /// A stream of events.
        Events = "events",
        /// A web page.
        Html = "html",
        /// Some other text.
        Text = "text",
        /// Nothing at all.
        Empty = "empty",
    }

    /// How far an attempt had come.
    pub enum Phase: "a phase" {
        /// There was no connection.
        Connect = "connect",
        /// Nothing of the answer had come.
        FirstByte = "first_byte",
        /// The answer had begun, but none of its content had come.
        FirstContent = "first_content",
        /// The client was being answered.
        Stream = "stream",
    }

    /// What can go wrong, besides a status that says so.
    pub enum FailureKind: "a kind of failure" {
        /// No connection.
        Connect = "connect",
        /// No address for the name.
        Dns = "dns",
        /// No trust in the certificate, or no TLS.
        Tls = "tls",
        /// The connection ended before the head of an answer.
        Closed = "closed",
        /// The connection was reset.
        Reset = "reset",
        /// What came is no answer of the protocol.
        Malformed = "malformed",
        /// The answer has nothing in it.
        Empty = "empty",
        /// The answer ended in the middle.
        CutOff = "cut_off",
        /// An error within a stream that began well.
        InStream = "in_stream",
        /// The time for a connection is over.
        ConnectTimeout = "connect_timeout",
        /// The time until the first byte is over.
        FirstByteTimeout = "first_byte_timeout",
        /// The time until the content of a stream begins is over.
        FirstContentTimeout = "first_content_timeout",
        /// The time for an answer that was asked for as a whole is over.
        WholeTimeout = "whole_timeout",
        /// The time between two pieces is over.
        IdleTimeout = "idle_timeout",
        /// The time for all of it is over.
        TotalTimeout = "total_timeout",
        /// The mapping refuses the request: this provider cannot be asked that.
        Mapping = "mapping",
    }
}

impl FromNode for When {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let facts = match &node.kind {
            Kind::Bool(value) => vec![Fact::Constant(*value)],
            Kind::String(text) if text.starts_with('$') => vec![Fact::Path(node.clone())],
            // What is wrong (and reported) never holds: left out, it would make the condition hold too often,
            // and rules that follow would seem to be out of reach.
            Kind::Map(entries) => {
                let is_of_hours = |(key, _): &&(Key, Node)| hours::KEYS.contains(&key.text.as_str());
                let others = entries.iter().filter(|entry| !is_of_hours(entry));
                let facts = others.map(|(key, value)| fact(key, value, diags));
                let mut facts: Vec<Option<Fact>> = facts.collect();
                if entries.iter().any(|entry| is_of_hours(&entry)) {
                    facts.push(hours::read(entries, diags).map(Fact::Hours));
                }
                facts.into_iter().map(|fact| fact.unwrap_or(Fact::Constant(false))).collect()
            }
            _ => {
                wrong_type(node, "a condition is a mapping of facts, a path, `true` or `false`", diags);
                vec![Fact::Constant(false)]
            }
        };
        Some(When { span: head_span(node), facts })
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.define("When", |schemas| {
            let conditions = json!({ "type": "array", "items": { "$ref": "#/$defs/When" } });
            let mut properties = Map::new();
            for (name, doc) in FACTS {
                let mut schema = match *name {
                    "any" | "all" => conditions.clone(),
                    "not" => json!({ "$ref": "#/$defs/When" }),
                    "status" => StatusSet::schema(schemas),
                    "text" | "message" | "answer_text" => Several::<Pattern>::schema(schemas),
                    "body" => Several::<BodyKind>::schema(schemas),
                    "phase" => Several::<Phase>::schema(schemas),
                    "committed" => json!({ "type": "boolean" }),
                    "failure" => Several::<FailureKind>::schema(schemas),
                    "header" => Table::<Node>::schema(schemas),
                    "model" | "dropped" | "route" | "key" => Several::<Glob>::schema(schemas),
                    "provider" => Several::<String>::schema(schemas),
                    "size" | "tokens" | "messages" => bounds::schema(schemas),
                    "time" | "days" | "zone" => hours::schema(name, schemas),
                    _ => Node::schema(schemas),
                };
                if let Value::Object(members) = &mut schema {
                    members.insert("description".into(), Value::from(*doc));
                }
                properties.insert((*name).to_string(), schema);
            }
            json!({ "description": "A condition: all facts must hold.", "anyOf": [
                { "type": "boolean" },
                { "type": "string", "pattern": "^\\$" },
                { "type": "object", "properties": properties,
                  "patternProperties": { "^\\$": {} }, "additionalProperties": false },
            ]})
        })
    }
}

fn fact(key: &Key, value: &Node, diags: &mut Diagnostics) -> Option<Fact> {
    match key.text.as_str() {
        "any" => Vec::from_node(value, diags).map(Fact::Any),
        "all" => Vec::from_node(value, diags).map(Fact::All),
        "not" => When::from_node(value, diags).map(|when| Fact::Not(Box::new(when))),
        "status" => StatusSet::from_node(value, diags).map(Fact::Status),
        "text" => Several::from_node(value, diags).map(Fact::Text),
        "message" => Several::from_node(value, diags).map(Fact::Message),
        "answer_text" => Several::from_node(value, diags).map(Fact::AnswerText),
        "body" => Several::from_node(value, diags).map(Fact::Body),
        "phase" => Several::from_node(value, diags).map(Fact::Phase),
        "committed" => bool::from_node(value, diags).map(Fact::Committed),
        "route" => Several::from_node(value, diags).map(Fact::Route),
        "key" => Several::from_node(value, diags).map(Fact::Key),
        "failure" => Several::from_node(value, diags).map(Fact::Failure),
        "header" => Table::from_node(value, diags).map(Fact::Header),
        "model" => Several::from_node(value, diags).map(Fact::Model),
        "provider" => Several::from_node(value, diags).map(Fact::Provider),
        "attempt" => Some(Fact::Attempt(value.clone())),
        "dropped" => Several::from_node(value, diags).map(Fact::Dropped),
        "size" => Bounds::read(value, "size", true, diags).map(|it| Fact::Count(Count::Size, it)),
        "tokens" => Bounds::read(value, "tokens", false, diags).map(|it| Fact::Count(Count::Tokens, it)),
        "messages" => {
            Bounds::read(value, "messages", false, diags).map(|it| Fact::Count(Count::Messages, it))
        }
        path if path.starts_with('$') => {
            let kind = Kind::Map(vec![(key.clone(), value.clone())].into());
            Some(Fact::Path(Node { span: key.span, kind }))
        }
        other => {
            let names: Vec<&str> = FACTS.iter().map(|(name, _)| *name).collect();
            let diagnostic = Diagnostic::error("unknown-key", format!("a condition has no fact `{other}`"))
                .at(key.span)
                .label("unknown fact");
            diags.push(match did_you_mean(other, names.iter().copied()) {
                Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                None => diagnostic
                    .help(format!("the facts are: {}", names.join(", ")))
                    .help("a path into the body begins with `$`, for example `$.error.type`"),
            });
            None
        }
    }
}
