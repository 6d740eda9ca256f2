//! rules.yaml as a whole, and what the program makes of it together with everything it includes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::{
    Access, AccessOrOpen, ByteSize, Catalog, FailoverRule, Key, Listen, ListenTls, Mapping, Percent, Probe,
    Protocol, Provider, Published, RequestRepair, Route, RuleTest, Spanned, Spread, Table, Timeouts,
};
use crate::config::proxies::ProxyVariables;
use crate::config::record::{record, words};
use crate::text::diagnostic::{FileId, Span};

record! {
    /// The rules: providers in order of priority, routes, failover, health and tests. An included file may
    /// hold a part of them.
    pub struct RulesFile: "the rules file" {
        /// Where to listen: address and port. Default 127.0.0.1:8000.
        listen: Option<Spanned<Listen>>,
        /// The address of the host at which clients reach the router where it listens in a container: what `ports` of Docker
        /// says in front. What may only be left out on loopback (keys) may be left out there, too. Default: `none`,
        /// where it listens.
        published: Option<Spanned<Published>>,
        /// TLS on that address. Default: none, clients speak plain HTTP.
        tls: Option<ListenTls>,
        /// Further files: protocols, mappings and parts of the rules; `*` and `?` match within a folder. A
        /// leading `builtin:` takes the ones inside the program.
        include: Vec<Spanned<String>>,
        /// Files with `NAME=value` lines, and folders with one file for each secret, that stand in for missing environment
        /// variables; they need not exist.
        secrets: Vec<Spanned<String>>,
        /// Names of the models that the router says it has.
        models: Vec<Spanned<String>>,
        /// Who answers requests. The order is the priority, unless `priority` says otherwise.
        providers: Table<Provider>,
        /// Which paths there are, and who answers them. The first that fits decides.
        routes: Vec<Route>,
        /// What to do with an answer that is no good. The first rule that fits decides; a provider's own
        /// rules come before these.
        failover: Vec<FailoverRule>,
        /// Patches of a request, by name, for the action `repair`.
        repairs: Table<RequestRepair>,
        /// How long to wait for what; a provider may say otherwise for itself.
        timeouts: Option<Timeouts>,
        /// How much is too much.
        limits: Option<Limits>,
        /// What is kept of the router's decisions, for `/-/decisions`.
        decisions: Option<Decisions>,
        /// Who may send requests: `open`, or the keys of clients. Needed unless the router listens on
        /// loopback only. Also which web pages may, and what stands in front of the router.
        access: Option<Spanned<AccessOrOpen>>,
        /// The key for switching providers and for everything under `/-/`; needed unless on loopback.
        admin_key: Option<Spanned<Key>>,
        /// A proxy for requests to providers, as `proxy` of a provider; `env` obeys the usual variables. Default: none.
        proxy: Option<Spanned<String>>,
        /// Requests that find out whether a provider works again.
        health: Vec<Probe>,
        /// How providers come back after a cool down, and how many may be out at once.
        recovery: Option<Recovery>,
        /// The file that lets cool downs, the choice made by hand and counters survive a restart, from the folder
        /// of the rules on; `off` for none. Default: beside the rules, with the ending `.state.json`. Read when
        /// the router starts; rules that are read again may have it written elsewhere from then on.
        state: Option<Spanned<String>>,
        /// How requests are shared out among providers with the same `priority`; a route may say otherwise.
        spread: Option<Spread>,
        /// Examples: what should happen, told by what providers answer.
        tests: Vec<RuleTest>,
    }

    /// How providers come back after a cool down, and how many may be out at once.
    pub struct Recovery: "`recovery`" {
        /// How many requests at once may try whether all is well when a cool down has run out; the others go to
        /// the next provider until one of them was answered. 0: all at once.
        trials: u32 = 1,
        /// No more than this share of the providers, but always one, is out at once for being out of order:
        /// by cool downs of a provider whose length the rule says, be it because the answer says none, and by
        /// `down`. Limits of keys, and what the answer says itself, always hold and are not counted.
        at_most_out: Option<Percent>,
        /// What becomes of cool downs when rules are read again, or the router starts again, and the rule that began one is
        /// gone, or its `when`, `cool_down` or `down` is another one. Either way the reload says which; with `keep` the
        /// health page, `rulegate status` and `explain` say it, too, until the cool down is over.
        on_rule_removed: OnRuleRemoved = OnRuleRemoved::Keep,
    }

    /// How much is too much.
    pub struct Limits: "`limits`" {
        /// The body of a request, decompressed.
        body: ByteSize = ByteSize(32 << 20),
        /// An answer that is not a stream, decompressed.
        answer: ByteSize = ByteSize(64 << 20),
        /// One event of a stream, decompressed.
        event: ByteSize = ByteSize(16 << 20),
        /// What is held back of a stream until its content begins.
        held: ByteSize = ByteSize(256 << 10),
        /// Grace period at shutdown: how long requests under way, streams too, may go on when the router has been
        /// told to stop. What still runs then ends with an error in its protocol.
        shutdown: Duration = Duration::from_secs(30),
        /// How long the head of a request may take, from its first byte, and how long a new connection may say nothing.
        /// What is slower is closed; on HTTP/1.1 a head that has begun is answered with 408 before.
        head_time: Duration = Duration::from_secs(30),
        /// How long the whole body of a request may take; in between, a client may be silent for 30s.
        body_time: Duration = Duration::from_secs(600),
        /// Bytes a second, on average, that a client must send of a request's body or take of an answer while the
        /// router waits for it; 0 for no minimum.
        min_rate: ByteSize = ByteSize(500),
        /// Client connections in all; further ones are answered with 503. Default: as many as the open descriptors
        /// allow, at most 10000.
        connections: Option<Spanned<u32>>,
        /// Client connections from one address (for IPv6 from one /64 network). Default: half of `connections`.
        connections_per_address: Option<Spanned<u32>>,
        /// What all requests in flight may take in memory together. Each counts twice its body, decompressed (as it came
        /// and as it goes to a provider); the decoder's window while the body comes; 20 bytes for each of its JSON values
        /// while they are looked at; and what of its answer is held whole. More are answered with 503 at once.
        /// Beyond it may be, for a moment, the values of as many bodies as there are cores: 42 MB each at most. Default:
        /// a quarter of the machine's memory, or of the container's.
        in_flight: Option<Spanned<ByteSize>>,
        /// Requests in flight at once; more are answered with 503 at once. Default: one for each 64KiB of `in_flight`,
        /// at most 10000.
        requests: Option<Spanned<u32>>,
    }
}

words! {
    /// What becomes of a cool down whose rule is gone or changed.
    pub enum OnRuleRemoved: "a word for `on_rule_removed`" {
        /// It lasts as long as the rule said.
        Keep = "keep",
        /// It ends, and the provider may be asked again.
        Clear = "clear",
    }
}

record! {
    /// What is kept of the router's decisions, in memory only.
    pub struct Decisions: "`decisions`" {
        /// How many of them; 0 for none.
        keep: u32 = 1000,
        /// How much memory they may take together.
        at_most: ByteSize = ByteSize(16 << 20),
        /// Whether what clients asked is kept, too.
        prompts: bool = false,
        /// Whether the words of providers' errors are kept and shown: in records, in the log and on the health page, up
        /// to 200 characters of each, without keys. Some providers quote the prompt in them.
        errors: bool = true,
    }
}

impl Decisions {
    /// What holds when nobody says anything.
    pub fn standard(span: Span) -> Decisions {
        Decisions { span, keep: 1000, at_most: ByteSize(16 << 20), prompts: false, errors: true }
    }
}

impl Recovery {
    /// What holds when nobody says anything.
    pub fn standard(span: Span) -> Recovery {
        Recovery { span, trials: 1, at_most_out: None, on_rule_removed: OnRuleRemoved::Keep }
    }
}

impl Limits {
    /// What holds when nobody says anything.
    pub fn standard(span: Span) -> Limits {
        Limits {
            span,
            body: ByteSize(32 << 20),
            answer: ByteSize(64 << 20),
            event: ByteSize(16 << 20),
            held: ByteSize(256 << 10),
            shutdown: Duration::from_secs(30),
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(600),
            min_rate: ByteSize(500),
            connections: None,
            connections_per_address: None,
            in_flight: None,
            requests: None,
        }
    }
}

/// A file that a test names: its path and what is in it.
#[derive(Clone, Debug)]
pub struct FoundFile {
    /// Where it was found.
    pub path: String,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The rules with everything they include, defaults filled in. What `check` and the engine work with.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The start of the main file, for what concerns no place in particular.
    pub span: Span,
    /// Address and port.
    pub listen: Spanned<String>,
    /// Where clients reach it, if that is another address.
    pub published: Option<Spanned<Published>>,
    /// TLS on that address.
    pub tls: Option<ListenTls>,
    /// Names of models for the list of models.
    pub models: Vec<Spanned<String>>,
    /// In order of priority.
    pub providers: Table<Provider>,
    /// In order.
    pub routes: Vec<Route>,
    /// In order.
    pub failover: Vec<FailoverRule>,
    /// Patches by name.
    pub repairs: Table<RequestRepair>,
    /// All four are there.
    pub timeouts: Timeouts,
    /// Limits.
    pub limits: Limits,
    /// What is kept of decisions.
    pub decisions: Decisions,
    /// Who may send requests, and from where; without `open` and `keys` the router serves its own machine only.
    pub access: Option<Spanned<Access>>,
    /// The key of the admin paths.
    pub admin_key: Option<Spanned<Key>>,
    /// The proxy towards providers.
    pub proxy: Option<Spanned<String>>,
    /// What the environment says of proxies.
    pub proxy_variables: ProxyVariables,
    /// Probes.
    pub health: Vec<Probe>,
    /// How providers come back.
    pub recovery: Recovery,
    /// Where to keep what is known of providers.
    pub state: Option<Spanned<String>>,
    /// How requests are shared out.
    pub spread: Option<Spread>,
    /// Tests.
    pub tests: Vec<RuleTest>,
    /// Protocols, by name.
    pub protocols: Vec<Protocol>,
    /// Mappings between protocols.
    pub mappings: Vec<Mapping>,
    /// The catalogue files that providers use, each once.
    pub catalog: Vec<Catalog>,
    /// The files that tests name: by the file that names them and the path as written there.
    pub files: BTreeMap<(FileId, String), FoundFile>,
    /// Whether a file could not be read: then a name may be unknown without being wrong.
    pub incomplete: bool,
    /// The files that are word for word as they are inside the program.
    pub as_shipped: Vec<FileId>,
    /// The rules inside the program that a file is laid over. Their own tests are left out.
    pub laid_under: Vec<FileId>,
    /// Scalars whose variable is not set (reported, or a key): nothing more is to be said of them.
    pub unset: Vec<Span>,
    /// Scalars with a variable's value in them, which may be a secret, and the variable's name.
    pub filled: Vec<(Span, String)>,
}

impl Rules {
    /// The protocol `name`.
    pub fn protocol(&self, name: &str) -> Option<&Protocol> {
        self.protocols.iter().find(|protocol| protocol.protocol.value == name)
    }

    /// The mapping from the client's protocol to the provider's.
    pub fn mapping(&self, from: &str, to: &str) -> Option<&Mapping> {
        let fits = |mapping: &&Mapping| mapping.mapping.from.value == from && mapping.mapping.to.value == to;
        self.mappings.iter().find(fits)
    }

    /// Are all protocols as they are inside the program, and thereby what its own tests were made for?
    pub fn has_shipped_protocols(&self) -> bool {
        self.protocols.iter().all(|protocol| self.is_shipped(protocol.protocol.span))
    }

    /// Is this mapping as it is inside the program, the protocols too?
    pub fn is_shipped_mapping(&self, mapping: &Mapping) -> bool {
        self.is_shipped(mapping.mapping.from.span) && self.has_shipped_protocols()
    }

    /// Is this catalogue file as it is inside the program, with all that it stands on?
    pub fn is_shipped_catalog(&self, catalog: &Catalog) -> bool {
        self.is_shipped(catalog.catalog.span)
            && self.mappings.iter().all(|mapping| self.is_shipped_mapping(mapping))
    }

    /// Are the main file, and all that it stands on, as they are inside the program, and its tests all the tests?
    pub fn is_shipped_main(&self) -> bool {
        self.is_shipped(self.span)
            && self.tests.iter().all(|test| self.is_shipped(test.name.span))
            && self.mappings.iter().all(|mapping| self.is_shipped_mapping(mapping))
            && self.catalog.iter().all(|catalog| self.is_shipped_catalog(catalog))
    }

    /// Do the tests in files that are as inside the program need no running? Then all that they test is so, too.
    pub fn has_no_use_for_shipped_tests(&self) -> bool {
        let is_proved = |file: &FileId| {
            let of_protocol = self.protocols.iter().any(|it| it.protocol.span.file == *file);
            let mapping = self.mappings.iter().find(|it| it.mapping.from.span.file == *file);
            let catalog = self.catalog.iter().find(|it| it.catalog.span.file == *file);
            of_protocol
                || mapping.is_some_and(|mapping| self.is_shipped_mapping(mapping))
                || catalog.is_some_and(|catalog| self.is_shipped_catalog(catalog))
                || self.is_shipped_main()
                || self.laid_under.contains(file)
        };
        self.as_shipped.iter().all(is_proved)
    }

    /// Whether the later place is as it is inside the program and the first is not: whoever wrote the first cannot change the
    /// later one, and means to take its place.
    pub fn is_laid_over(&self, first: Span, later: Span) -> bool {
        self.is_shipped(later) && !self.is_shipped(first)
    }

    /// Whether what stands there is word for word as it is inside the program.
    pub fn is_shipped(&self, at: Span) -> bool {
        self.as_shipped.contains(&at.file)
    }

    /// What a test's `file:` holds.
    pub fn file(&self, path: &Spanned<String>) -> Option<&FoundFile> {
        self.files.get(&(path.span.file, path.value.clone()))
    }
}
