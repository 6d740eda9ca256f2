//! A protocol file: what a protocol is, told by data.

use std::time::Duration;

use super::{Spanned, Table};
use crate::config::record::{record, words};
use crate::text::yaml::Node;

record! {
    /// What a protocol is: paths, credentials, how a stream is framed, what is content, how an error looks.
    pub struct Protocol: "a protocol" {
        /// Its name.
        protocol: Spanned<String>,
        /// Another protocol that says what this one does not: its `auth`, `headers`, `forward`, `return`, `model`, `error`,
        /// `errors`, `error_headers` and `error_types`.
        like: Option<Spanned<String>>,
        /// Where a request goes, after the provider's url.
        send: Send,
        /// What the body of a request is: a JSON object (`json`), or one or a form with files, multipart/form-data (`form`).
        /// A form is passed on byte for byte, but for the model's name; paths see its fields as an object, of files and long
        /// texts `filename` and `size`. Repairs and a provider's `patch` leave it alone.
        body: RequestBody = RequestBody::Json,
        /// What an answer with a good status is that is no stream: JSON, which is waited for and looked at (`json`), or
        /// anything (`bytes`). That is passed on as it comes, unread and with its own content type; JSON is looked at all the
        /// same, and a web page is no answer unless it says that it is a sound, a picture or plain text.
        answer: AnswerKind = AnswerKind::Json,
        /// What becomes of the client's query string.
        query: Query = Query::Drop,
        /// How a key is sent.
        auth: Option<Auth>,
        /// Headers of a request; templates over `$header` (the client's) and `$provider`.
        headers: Table<Node>,
        /// Headers of the client that go to a provider that speaks the client's protocol; `*` matches.
        forward: Vec<Spanned<String>>,
        /// Headers of the provider that go to a client who speaks the provider's protocol; `*` matches.
        returned("return"): Vec<Spanned<String>>,
        /// Where the model's name stands in a request.
        model: Option<Spanned<String>>,
        /// Which entries of a provider's `models` hold for these requests.
        models: WhichModels = WhichModels::All,
        /// What clients put behind a model's name that is no part of it: it is cut off before anything looks at the name.
        model_suffixes: Vec<Spanned<String>>,
        /// Where a request has its messages: a list, or one text. What `messages` of conditions counts.
        messages: Option<Spanned<String>>,
        /// Where a request says that it wants a stream.
        streaming: Option<Spanned<String>>,
        /// How a stream looks.
        stream: Option<StreamShape>,
        /// What an answer with a good status that is no stream must satisfy to be an answer.
        whole: Option<Node>,
        /// The words of a whole answer: what `answer_text` of failover rules looks at.
        text: Option<Node>,
        /// Where an answer says how many tokens it took, be it whole or a stream's event.
        usage: Option<UsageShape>,
        /// How a stream becomes a whole answer, for a provider that streams though nobody asked for it: a stream
        /// program with `whole`, the body.
        fold: Option<Node>,
        /// How a whole answer becomes a stream, for a provider that does not stream though it was asked to: a
        /// stream program whose only event is the whole body.
        unfold: Option<Node>,
        /// How another provider resumes a stream that broke off in the middle of a text, on routes that
        /// say `continue: true`.
        resumes("continue"): Option<Resumption>,
        /// How to read an error: templates for `type`, `code` and `message`.
        error: Table<Node>,
        /// How the router words an error to a client: a template over `$error`.
        errors: Option<Node>,
        /// Headers of every error that a client gets: templates over `$error`, which also has `retry_after`
        /// (seconds) and `exhausted` (all providers have been tried).
        error_headers: Table<Node>,
        /// From a status (429, 5xx, `default`) to the `$error.type` of an error that the router makes.
        error_types: Table<Spanned<String>>,
    }

    /// Where a request goes.
    pub struct Send: "`send`" {
        /// The method.
        method: String = "POST".to_string(),
        /// The path, after the provider's url.
        path: Spanned<String>,
    }

    /// How a key is sent.
    pub struct Auth: "`auth`" {
        /// The header.
        header: Spanned<String>,
        /// Its value: a template over `$key`.
        value: Node,
    }

    /// Where an answer says how many tokens it took. Counts are templates over the object that `at` finds; of a stream the
    /// highest counts hold.
    pub struct UsageShape: "`usage`" {
        /// Where an object with counts stands: the first of these paths that leads to one. Events that do not have the last
        /// name of any of them are not looked at.
        at: Vec<Spanned<String>>,
        /// Tokens of the request that stood in no cache.
        input: Option<Node>,
        /// Tokens of the request that were read from a cache.
        cache_read: Option<Node>,
        /// Tokens of the request that were written to a cache.
        cache_write: Option<Node>,
        /// Tokens of the answer, reasoning included.
        output: Option<Node>,
        /// The part of `output` that is reasoning.
        reasoning: Option<Node>,
    }

    /// How a stream looks. Conditions are over one event: `$` is its data, `$event` its name.
    pub struct StreamShape: "`stream`" {
        /// How events are told apart.
        framing: Framing = Framing::Sse,
        /// The member of the data that is also the event's name; without it events have no name.
        event: Option<Spanned<String>>,
        /// The data that ends the stream, where there is such a thing.
        done: Option<Spanned<String>>,
        /// Whether clients are sent that end, too.
        write_done: bool = false,
        /// The first event for which it holds is where content begins.
        content: Option<Node>,
        /// The words in an event: what `answer_text` of failover rules looks at.
        text: Option<Node>,
        /// The event after which the stream is complete.
        end: Option<Node>,
        /// An event that is an error.
        error: Option<Node>,
        /// Those of them that clients of this protocol know as errors. Others behind content are told in its words. Default: all.
        own_error: Option<Node>,
        /// An event after which only the end is to come, such as one that says why the answer stops. A stream that
        /// falls silent or breaks off after it has ended well.
        finish: Option<Node>,
        /// The event that ends a stream, for one that had its `finish` and no end; a template.
        stop: Option<Node>,
        /// How long a stream that had its `finish` may be silent before it counts as ended.
        grace: Duration = Duration::from_secs(2),
        /// An event that means nothing and keeps a connection open; a text becomes a comment.
        ping: Option<Node>,
        /// A client gets one after so much silence in the middle of its stream.
        ping_every: Duration = Duration::from_secs(15),
        /// How to word an error within a stream: a template over `$error`.
        failed: Option<Node>,
    }
}

record! {
    /// How a stream that broke off is resumed. `$said` is the text that the client has read so far, without white
    /// space at its end; `$state` is what `stream` has noted.
    pub struct Resumption: "`continue`" {
        /// A condition over the request and `$said` and `$state`, looked at when the stream has broken: can anybody go on
        /// from there?
        when: Option<Node>,
        /// Edits of the client's request that make the next provider go on. `$provider` is that one's parameters.
        request: Node,
        /// A stream program through which all events pass on their way to the client. `eof` runs where a stream broke
        /// off, before the first event of the one that goes on.
        stream: Node,
    }
}

words! {
    /// What becomes of the client's query string.
    pub enum Query: "what becomes of a query" {
        /// It is passed on to a provider.
        Forward = "forward",
        /// It is not.
        Drop = "drop",
    }

    /// What the body of a request is.
    pub enum RequestBody: "what a body is" {
        /// A JSON object.
        Json = "json",
        /// A form with files (multipart/form-data), or a JSON object.
        Form = "form",
    }

    /// What an answer with a good status is.
    pub enum AnswerKind: "what an answer is" {
        /// JSON.
        Json = "json",
        /// Anything.
        Bytes = "bytes",
    }

    /// Which entries of a provider's `models` hold for the requests of a protocol.
    pub enum WhichModels: "a choice of `models`" {
        /// All of them.
        All = "all",
        /// Those that name a model in full: patterns such as `*` are for the models that chat.
        Named = "named",
    }

    /// How the events of a stream are told apart.
    pub enum Framing: "a framing" {
        /// Server-sent events.
        Sse = "sse",
    }
}
