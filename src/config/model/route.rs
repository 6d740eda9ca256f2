//! A route: a path of the router and who answers it.

use std::time::Duration;

use super::{ByteSize, FailoverRule, Refusal, Spanned, When};
use crate::config::record::{record, words};
use crate::text::yaml::Node;

record! {
    /// A path of the router. It is answered by providers, or by the rules themselves (`answer`, `refuse`).
    pub struct Route: "a route" {
        /// A name, for `route:` in failover rules.
        name: Option<Spanned<String>>,
        /// The path. A whole part may be a hole, `/v1/models/{id}`; what stands there is `$path.id`.
        path: Spanned<String>,
        /// The method.
        method: Method = Method::Post,
        /// What clients speak here.
        protocol: Option<Spanned<String>>,
        /// Which requests it is for; without it, all of this path.
        when: Option<When>,
        /// Who answers, in this order; without it all that can, in order of priority.
        providers: Option<Vec<Spanned<String>>>,
        /// Rules for what providers answer here; they come after the provider's own and before the common ones.
        failover: Vec<FailoverRule>,
        /// How requests are shared out among providers with the same `priority`.
        spread: Option<Spread>,
        /// How a stream is held back until its content begins, so that another provider can still be asked.
        gate: Option<Gate>,
        /// The most that a request may take in all: attempts, retries, waits and its stream. Then the client is told
        /// so (504), and what the first provider said. Default: that of `timeouts`.
        deadline: Option<Spanned<Duration>>,
        /// Signs of life for a client that waits for a stream, before it begins and while it is silent.
        keep_alive: Option<KeepAlive>,
        /// Whether a stream that breaks off in the middle of a text is resumed by the next provider, which gets the
        /// text so far. Only where the client's protocol says how (its `continue`), and never once a tool call has begun.
        resumes("continue"): bool = false,
        /// Whether the rules may be without a provider that can answer here. Then clients are told so (501), and what to add.
        optional: bool = false,
        /// The answer when no provider speaks this protocol or has a mapping for it, and whenever none has given a good one.
        /// With it, nobody is asked who is cooling down, and `return` gives back only what the client has to change: a
        /// 400, 413 or 422 with an error in the provider's words, or what no mapping can express. After any other failure
        /// the next provider is asked.
        otherwise: Option<Node>,
        /// The answer, made here without asking a provider.
        answer: Option<Node>,
        /// Whether requests that get this `answer` are left out of the log (but for `debug`) and of the records: for clients
        /// that only want to know whether anybody is there.
        quiet: bool = false,
        /// The error that every request of this route gets: a status and words of your own. No provider is asked.
        refuse: Option<Refusal>,
        /// The error that the client gets when all that could be asked has failed, in the place of what the first choice
        /// said: `$status` and `$error` are that. `retry-after` stays what is known of when somebody will be free, unless
        /// it says otherwise.
        exhausted: Option<Refusal>,
    }
}

record! {
    /// How requests are shared out among providers with the same `priority`. Whoever is cooling down is passed over.
    pub struct Spread: "`spread`" {
        /// By what.
        by: SpreadBy,
        /// For `sticky`: the value of the request that decides, such as `$.metadata.user_id`. A request without
        /// it goes by weight.
        on: Option<Node>,
    }

    /// How a stream is held back until its content begins. What breaks before that is the rules' to judge; what
    /// breaks after it, an error in the stream.
    pub struct Gate: "`gate`" {
        /// Whether it is.
        mode: GateMode = GateMode::On,
        /// For content that is held back all the same, because it may be a limit notice (`answer_text`): it is given to
        /// the client after this time. Default: when its words tell. A stream without content is never given to the
        /// client because of its time: a timeout ends the attempt, and another provider can be asked.
        time("for"): Option<Spanned<Duration>>,
        /// No more than so much is held back, content or not. Default: `limits.held`.
        bytes: Option<ByteSize>,
    }

    /// Signs of life for a client that waits for a stream: the `ping` of its protocol.
    pub struct KeepAlive: "`keep_alive`" {
        /// After so much silence. If the answer has not begun by then, it is begun with status 200 and the first
        /// sign of life, and an error that comes later is one inside the stream.
        every: Spanned<Duration>,
    }
}

words! {
    /// How requests are shared out.
    pub enum SpreadBy: "a way to spread" {
        /// By chance, as often as their `weight` says.
        Weighted = "weighted",
        /// To the one with the fewest requests under way for its weight.
        LeastBusy = "least_busy",
        /// Requests with the same value to the same one, as long as it works.
        Sticky = "sticky",
    }

    /// Whether a stream is held back until its content begins.
    pub enum GateMode: "a mode of the gate" {
        /// It is.
        On = "on",
        /// It is not, and the log says what holding it back would have done.
        Shadow = "shadow",
        /// It is not.
        Off = "off",
    }

    /// The method of a route.
    pub enum Method: "a method" {
        /// Reads.
        Get = "GET",
        /// Sends.
        Post = "POST",
        /// Puts in place.
        Put = "PUT",
        /// Changes.
        Patch = "PATCH",
        /// Removes.
        Delete = "DELETE",
    }
}
