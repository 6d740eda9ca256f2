//! What can go wrong with one attempt: the kinds, and the failure that the plan judges.

use super::protocol::ErrorText;
use crate::text::units::Redactor;
use crate::text::visible::is_hidden;
use bytes::Bytes;
use http::HeaderMap;
use std::fmt;

macro_rules! kinds {
    ($($variant:ident $name:literal $transport:literal $status:literal $doc:literal),+ $(,)?) => {
        /// Why an attempt gave no answer. The names are those of `when: { failure: … }`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum FailureKind { $(#[doc = $doc] $variant),+ }

        impl FailureKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [FailureKind] = &[$(FailureKind::$variant),+];

            /// The name that rules use for it.
            pub fn name(self) -> &'static str { match self { $(FailureKind::$variant => $name),+ } }

            /// One sentence for the documentation and for error texts.
            pub fn doc(self) -> &'static str { match self { $(FailureKind::$variant => $doc),+ } }

            /// True where nothing that the provider said is to be passed on: the next provider is asked
            /// when no rule says otherwise.
            pub fn is_next_by_default(self) -> bool { match self { $(FailureKind::$variant => $transport),+ } }

            /// The HTTP status that a client sees for it when the provider gave none.
            pub fn status(self) -> u16 { match self { $(FailureKind::$variant => $status),+ } }
        }
    };
}

kinds! {
    Dns "dns" true 502 "the provider's host name could not be resolved",
    Connect "connect" true 502 "no connection to the provider could be made",
    Tls "tls" true 502 "the encrypted connection to the provider could not be set up",
    ConnectTimeout "connect_timeout" true 504 "connecting to the provider took too long",
    Closed "closed" true 502 "the provider closed the connection without an answer",
    Reset "reset" true 502 "the connection to the provider broke",
    FirstByteTimeout "first_byte_timeout" true 504 "the provider did not begin to answer in time",
    FirstContentTimeout "first_content_timeout" true 504 "the provider's stream brought no content in time",
    WholeTimeout "whole_timeout" true 504 "the provider's answer, asked for as a whole, did not come in time",
    IdleTimeout "idle_timeout" true 504 "the provider fell silent in the middle of its answer",
    TotalTimeout "total_timeout" true 504 "the request took longer than allowed",
    Empty "empty" true 502 "the provider's answer was empty",
    Malformed "malformed" true 502 "the provider's answer was not what its protocol promises",
    CutOff "cut_off" true 502 "the provider's answer ended before it was complete",
    Mapping "mapping" false 400 "the request cannot be expressed in the provider's protocol",
    Lossy "lossy" true 400 "the provider would not get all of the request, and a rule minds",
    InStream "in_stream" false 502 "the provider reported an error inside its answer",
    Status "status" false 502 "the provider answered with an error status",
}

impl FailureKind {
    /// Did it happen before there was a connection?
    pub fn is_of_connecting(self) -> bool {
        matches!(
            self,
            FailureKind::Dns | FailureKind::Connect | FailureKind::Tls | FailureKind::ConnectTimeout
        )
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<FailureKind> {
        FailureKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// How far an attempt had come, as rules see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// Nothing of the answer has arrived.
    #[default]
    FirstByte,
    /// The answer has begun, but nothing of it is for the client yet.
    Content,
    /// The client is being answered.
    Idle,
}

/// One attempt's failure, with what the provider said, if anything.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// The provider's status, or the one its error text stands for. `None` when it said nothing usable.
    pub status: Option<u16>,
    /// The status that came, where an answer began: with an error inside a good answer it is another one than `status`.
    pub came: Option<u16>,
    /// The provider's response headers, empty if none came.
    pub headers: HeaderMap,
    /// The error's text as the provider wrote it: the body, or the data of one stream event.
    pub body: Bytes,
    /// The error's type in the client's words, where a mapping names one.
    pub error_type: Option<String>,
    /// More for the client's program, as JSON, where a mapping gives it.
    pub details: Option<Vec<u8>>,
    /// For people: what happened, in a few words. Holds no prompt and no key.
    pub message: String,
    /// The provider's own words, for whoever runs the router; `None` where it said none, or the rules keep none.
    pub said: Option<Box<Said>>,
    /// How far the attempt had come.
    pub phase: Phase,
    /// Whether a rule did not take a good answer for one.
    pub is_refused: bool,
    /// Whether the message is the provider's own.
    pub is_quoted: bool,
}

/// A provider's own words about an error: on one line, of bounded length. They may quote what was asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    /// The error's type, or else its code.
    pub kind: Option<String>,
    /// The message.
    pub message: String,
}

impl Said {
    /// The longest message that is kept, in characters.
    const LONGEST: usize = 200;
    /// The longest type.
    const LONGEST_KIND: usize = 60;

    /// These words, if there are any.
    pub fn new(kind: Option<&str>, message: Option<&str>) -> Option<Self> {
        let kind = kind.map(|kind| on_one_line(kind, Self::LONGEST_KIND)).filter(|kind| !kind.is_empty());
        let message = on_one_line(message.unwrap_or_default(), Self::LONGEST);
        (kind.is_some() || !message.is_empty()).then_some(Self { kind, message })
    }
}

impl fmt::Display for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) if self.message.is_empty() => out.write_str(kind),
            Some(kind) => write!(out, "\"{}\" ({kind})", self.message),
            None => write!(out, "\"{}\"", self.message),
        }
    }
}

/// The beginning of a text, with one blank for whatever is not to be seen.
fn on_one_line(text: &str, longest: usize) -> String {
    let mut line = String::new();
    let mut left = longest;
    for word in
        text.split(|sign: char| sign.is_whitespace() || is_hidden(sign)).filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        for sign in word.chars() {
            if left == 0 {
                line.push('…');
                return line;
            }
            line.push(sign);
            left -= 1;
        }
    }
    line
}

impl Failure {
    /// A failure in which the provider said nothing: transport, timeouts.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Failure {
            kind,
            status: None,
            came: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            error_type: None,
            details: None,
            message: if message.is_empty() { kind.doc().to_owned() } else { message },
            said: None,
            phase: Phase::FirstByte,
            is_refused: false,
            is_quoted: false,
        }
    }

    /// Whether the message is the router's, and not the provider's or a mapping's, which may quote a prompt.
    fn has_own_words(&self) -> bool {
        let is_ours = self.body.is_empty() || self.kind == FailureKind::Malformed;
        is_ours && !self.is_quoted && !self.is_refused && self.kind != FailureKind::Mapping
    }

    /// The same failure, seen in `phase`.
    pub fn in_phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Takes keys out of what the provider said, before anybody reads it.
    pub fn strike_out(&mut self, keys: &Redactor) {
        if let Some(body) = keys.redacted(&self.body) {
            self.body = body.into();
        }
        if let Some(message) = keys.redacted_text(&self.message) {
            self.message = message;
        }
    }

    /// The message with the provider's name in the place of `the provider`, where the words are the router's own: for a
    /// client, who may not know that there are several. `None` where they are not, or do not speak of it.
    pub fn named(&self, provider: &str) -> Option<String> {
        const UNNAMED: &str = "the provider";
        let is_ours = self.body.is_empty() && self.message.contains(UNNAMED);
        is_ours.then(|| self.message.replacen(UNNAMED, provider, 1))
    }

    /// Whether it is a mistake of the request's own: a provider has put into words why it does not take it, or it cannot be
    /// put into the provider's protocol at all.
    pub fn is_of_request(&self, read: &ErrorText) -> bool {
        let has_words = self.kind == FailureKind::Mapping || read.is_error();
        has_words && matches!(self.client_status(), 400 | 413 | 422)
    }

    /// Whether the status says that it is about who asks, and not about the service: another key may be answered.
    pub fn is_of_account(&self) -> bool {
        matches!(self.status, Some(401 | 402 | 403 | 429))
    }

    /// The status that a client is told.
    pub fn client_status(&self) -> u16 {
        self.status.filter(|status| (400..600).contains(status)).unwrap_or_else(|| self.kind.status())
    }

    /// Whether its status is neither an answer's nor an error's: nothing that came with it is for a client.
    pub fn is_of_odd_status(&self) -> bool {
        self.status.is_some_and(|status| !matches!(status, 200..300 | 400..600))
    }
}

/// For logs: what happened, and the provider's words if they are kept.
impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) if self.is_refused => write!(out, "refused by a rule (status {status})")?,
            Some(status) if self.kind == FailureKind::Status => write!(out, "status {status}")?,
            Some(status) => write!(out, "{} (status {status})", self.kind.name())?,
            None => write!(out, "{}", self.kind.name())?,
        }
        if let Some(said) = &self.said {
            let is_more = self.kind == FailureKind::Malformed && self.has_own_words();
            let (what, sep) = if is_more { (self.message.as_str(), ": ") } else { ("", "") };
            return write!(out, ": {what}{sep}{said}");
        }
        let is_ours = self.has_own_words();
        if self.message.is_empty() || !is_ours { Ok(()) } else { write!(out, ": {}", self.message) }
    }
}
