//! Failover rules: what to do with an answer that is no good, and for how long to leave its provider alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Percent, Refusal, Refuse, Several, Spanned, When};
use crate::config::record::{FromNode, Schemas, record, word, words, wrong_type};
use crate::text::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::text::yaml::Node;

record! {
    /// When an answer looks like this, do that.
    pub struct FailoverRule: "a failover rule" {
        /// Its name in the log, on the health page and in tests.
        name: Spanned<String>,
        /// What it looks at; without it, every answer that is no good.
        when: Option<When>,
        /// What to do: `next`, `return`, `{ retry: 2 }`, `{ wait: { at_most: 5s } }`, `{ repair: NAME }` or
        /// `{ refuse: { status: 403, message: ... } }`.
        action("do"): Action,
        /// For how long to leave the provider alone.
        cool_down: Option<CoolDown>,
        /// Until when the provider counts as down.
        down: Option<Down>,
        /// Whether the provider that answers instead stays the first choice, as if a person had switched to it.
        switch: bool = false,
        /// How loudly the log tells that it has fired.
        log: Option<LogLevel>,
        /// Whether it comes after all rules that do not say so, the provider's own, the route's and the common ones: for
        /// what fits much, such as every 429. Among themselves those that come last keep the usual order.
        last: bool = false,
        /// Whether it is only tried out: what it would have done is counted and told, and the rules that follow
        /// decide.
        shadow: bool = false,
        /// The error that the client gets when nobody is left to be asked and this is what it would be told of: instead of what
        /// the provider said, which `$error` is, as is `$sent_key` what is known of the key. A route's `exhausted` comes before it.
        exhausted: Option<Refusal>,
    }
}

words! {
    /// What a retry leads to when it does not help.
    pub enum Then: "what follows a retry" {
        /// The next provider.
        Next = "next",
        /// This answer goes to the client.
        Return = "return",
    }

    /// What leaves off after a cool down began.
    pub enum CoolDownScope: "a scope" {
        /// Everything that uses the same key.
        Key = "key",
        /// The same key for the same model, by the provider's name of it.
        KeyAndModel = "key_and_model",
        /// This provider only, with all its keys.
        Provider = "provider",
        /// This provider for the same model, by the provider's name of it.
        ProviderAndModel = "provider_and_model",
    }

    /// How loudly the log tells of something.
    pub enum LogLevel: "a log level" {
        /// For those who look closely.
        Debug = "debug",
        /// Normal work.
        Info = "info",
        /// Somebody should know.
        Warn = "warn",
        /// Somebody should act.
        Error = "error",
    }

    /// Until when a provider is down.
    pub enum Down: "an end of being down" {
        /// Until a probe has found it well.
        UntilProbed = "until_probed",
    }
}

impl CoolDownScope {
    /// Is a key put aside, and not the provider?
    pub fn is_of_key(self) -> bool {
        matches!(self, CoolDownScope::Key | CoolDownScope::KeyAndModel)
    }

    /// Only for the model that was asked for?
    pub fn is_of_model(self) -> bool {
        matches!(self, CoolDownScope::KeyAndModel | CoolDownScope::ProviderAndModel)
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Ask the next provider.
    Next,
    /// Give this answer to the client.
    Return,
    /// Ask the same provider again.
    Retry(Retry),
    /// Wait for as long as the answer says, if that is short, and ask the same provider again.
    Wait(Wait),
    /// Change the request by a patch and ask the same provider again, once.
    Repair(Repair),
    /// Give the client an error in words of the rules' own.
    Refuse(Refuse),
}

record! {
    /// Asking again.
    pub struct Retry: "a retry" {
        /// How often at most.
        times("retry"): Spanned<u32>,
        /// How long to wait first; it doubles each time, and up to a quarter is added by chance.
        backoff: Duration = Duration::from_millis(500),
        /// The longest single wait. An answer's `retry-after` is waited out if it is not longer; if it is, `then`
        /// comes at once.
        at_most: Duration = Duration::from_secs(10),
        /// What to do when that does not help.
        then: Then = Then::Next,
    }

    /// Waiting for as long as an answer says and asking again.
    pub struct Wait: "a wait" {
        /// What is still worth waiting for.
        wait: WaitFor,
        /// What to do when the answer says no time, or a longer one, or when that does not help.
        then: Then = Then::Next,
    }

    /// What is worth waiting for. The time is what `cool_down.until` of the same rule finds in the answer, or
    /// else its `retry-after-ms` or `retry-after`.
    pub struct WaitFor: "`wait`" {
        /// The longest wait.
        at_most: Duration,
        /// How often at most.
        times: u32 = 1,
    }

    /// Asking again with a changed request.
    pub struct Repair: "a repair" {
        /// The name of a patch under `repairs`.
        name("repair"): Spanned<String>,
        /// Always `retry`.
        then: RepairThen = RepairThen::Retry,
        /// What to do when that does not help; without it the rules that follow decide.
        otherwise("else"): Option<Then>,
    }

    /// For how long to leave a provider alone. Of the moments to come that `until` gives the latest counts, or the
    /// first; if there is none, `else`. A fixed time counts beside them. Then `jitter` is added, then the bounds hold,
    /// and a pause that lasts longer already stays.
    pub struct CoolDownTable: "`cool_down`" {
        /// Where the answer says it: templates that give an instant or a duration, such as
        /// `$header.retry-after` or `$match.reset`: seconds, milliseconds where the place's name ends in `ms`, seconds
        /// or milliseconds since 1970, `1m30s`, `12 minutes`, RFC 3339, an HTTP date, `8pm (Europe/Paris)`, and the header
        /// `RateLimit` as the IETF drafts it (`"day";r=0;t=30`: until the limits begin anew of which nothing remains).
        until: Several<Node> = Several(Vec::new()),
        /// Which of several moments in `until` counts.
        of_several: WhichMoment = WhichMoment::Latest,
        /// The time zone of times that name none. Default: the provider's `zone`, else UTC.
        zone: Option<Spanned<String>>,
        /// Up to so much is added by chance.
        jitter: Option<Duration>,
        /// A fixed time.
        fixed("for"): Option<Duration>,
        /// When the answer does not say it.
        otherwise("else"): Option<Duration>,
        /// No less than this.
        at_least: Option<Duration>,
        /// No more than this.
        at_most: Option<Duration>,
        /// What is left alone. Default: the provider, with all its keys.
        scope: Option<CoolDownScope>,
        /// How many times longer `for` or `else` becomes each time that it comes again without a good answer in
        /// between. It needs `at_most`. A time that the answer says does not grow.
        grow: Option<Spanned<u32>>,
        /// How much has to go wrong before a cool down begins. Until then `next` only moves the request. A time that the
        /// answer says counts at once, and so does a failure while a request tries whether all is well.
        after: Option<After>,
        /// How many requests at once may try whether all is well when it has run out; the others go to the next
        /// provider until one of them was answered. 0: all at once. Default: what `recovery` says.
        trials: Option<u32>,
    }
}

record! {
    /// How much has to go wrong before a cool down begins. What counts are failures that this rule decided, retries
    /// being spent, of what the cool down is about: its `scope`.
    pub struct After: "`after`" {
        /// So many failures without a good answer in between.
        in_a_row: Option<Spanned<u32>>,
        /// So many failures, whatever goes well in between: `within` a time, or among the latest attempts (`of`).
        failures: Option<Spanned<u32>>,
        /// Such a share of the latest attempts (`of`).
        share: Option<Spanned<Percent>>,
        /// The latest attempts: so many.
        of: Option<Spanned<u32>>,
        /// A failure counts for so long. Default 1h.
        within: Option<Spanned<Duration>>,
    }
}

words! {
    /// Which of several moments counts.
    pub enum WhichMoment: "a choice of moments" {
        /// The one that lies farthest ahead.
        Latest = "latest",
        /// That of the first source that names one.
        First = "first",
    }

    /// What follows a repair.
    pub enum RepairThen: "what follows a repair" {
        /// The request is sent again.
        Retry = "retry",
    }
}

impl FromNode for Action {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        if let Some(text @ ("retry" | "repair" | "wait" | "refuse")) = node.as_str() {
            let example = match text {
                "retry" => "{ retry: 2 }",
                "wait" => "{ wait: { at_most: 5s } }",
                "refuse" => "{ refuse: { status: 403, message: not here } }",
                _ => "{ repair: NAME }",
            };
            let diagnostic = Diagnostic::error("unknown-word", format!("`{text}` alone says too little"));
            diags
                .push(diagnostic.at(node.span).label("not an action").help(format!("write `do: {example}`")));
            return None;
        }
        if node.as_str().is_some() {
            let words = [("next", false), ("return", true)];
            return word(node, "an action", &words, diags)
                .map(|returned| if returned { Action::Return } else { Action::Next });
        }
        if let Some(entries) = node.as_map() {
            let known = ["retry", "wait", "repair", "refuse"];
            let keys = || entries.iter().map(|(key, _)| key.text.as_str());
            let named = keys().find(|key| known.contains(key));
            return match named.or_else(|| keys().find_map(|key| did_you_mean(key, known))) {
                Some("repair") => Repair::from_node(node, diags).map(Action::Repair),
                Some("wait") => Wait::from_node(node, diags).map(Action::Wait),
                Some("refuse") => Refuse::from_node(node, diags).map(Action::Refuse),
                _ => Retry::from_node(node, diags).map(Action::Retry),
            };
        }
        wrong_type(
            node,
            "`do` is `next`, `return`, `{ retry: 2 }`, `{ wait: { at_most: 5s } }`, `{ repair: NAME }` or \
             `{ refuse: { status: 403, message: not here } }`",
            diags,
        );
        None
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "anyOf": [{ "enum": ["next", "return"] }, Retry::schema(schemas), Wait::schema(schemas), Repair::schema(schemas), Refuse::schema(schemas)] })
    }
}

/// For how long to leave a provider alone: `10s`, or a table that says where to look.
#[derive(Clone, Debug)]
pub struct CoolDown(pub CoolDownTable);

impl std::ops::Deref for CoolDown {
    type Target = CoolDownTable;

    fn deref(&self) -> &CoolDownTable {
        &self.0
    }
}

impl FromNode for CoolDown {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        if node.as_map().is_some() {
            return CoolDownTable::from_node(node, diags).map(CoolDown);
        }
        let fixed = Duration::from_node(node, diags)?;
        Some(CoolDown(CoolDownTable {
            span: node.span,
            until: Several(Vec::new()),
            of_several: WhichMoment::Latest,
            zone: None,
            jitter: None,
            fixed: Some(fixed),
            otherwise: None,
            at_least: None,
            at_most: None,
            scope: None,
            grow: None,
            after: None,
            trials: None,
        }))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "anyOf": [Duration::schema(schemas), CoolDownTable::schema(schemas)] })
    }
}
