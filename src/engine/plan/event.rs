//! What a plan did and why, for logs and for records of decisions. Holds no key, and nothing of a prompt but what a
//! provider quotes of it in an error.

use crate::engine::Ms;
use crate::engine::failure::{Phase, Said};

mod cool_down;
mod words;

pub use cool_down::CoolDownStep;
pub use words::Part;

/// How much an event matters to who reads the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Level {
    /// Each attempt, each rule's verdict.
    Debug,
    /// Normal work and recoveries.
    Info,
    /// Another provider had to be taken, or one began to cool down.
    Warn,
    /// A request got no provider's answer.
    Error,
}

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Who may be asked.
    Candidates {
        /// By name, in the order in which they are asked.
        order: Vec<String>,
    },
    /// A request goes to a provider.
    Attempt {
        /// 1 for the first.
        number: u32,
        /// Who is asked.
        provider: String,
        /// The name of the key, if the provider has several.
        key: Option<String>,
        /// The provider's own name of the model.
        model: Option<String>,
        /// What of the request the provider does not get.
        dropped: Vec<String>,
    },
    /// A provider was passed over.
    Skipped {
        /// Who.
        provider: String,
        /// Why.
        reason: String,
        /// Until when, if that is known.
        until: Option<Ms>,
    },
    /// How an attempt went.
    Outcome {
        /// Who was asked.
        provider: String,
        /// What came of it.
        what: String,
        /// The failure's kind by name; `None` for a good answer.
        failure: Option<&'static str>,
        /// The status, if there is one.
        status: Option<u16>,
        /// How far a failed attempt had come.
        phase: Option<Phase>,
        /// The provider's own words about a failure, where the rules have them kept.
        said: Option<Box<Said>>,
    },
    /// What is done about a failed attempt, all retries being spent.
    Decided {
        /// Whose attempt it was.
        provider: String,
        /// The rule that said so; `None`: no rule fired, and this is what is usual.
        rule: Option<String>,
        /// `next`, `return` or `refuse`; where the client had begun to read, `continue` or `too_late`.
        action: &'static str,
    },
    /// A rule fired.
    Fired {
        /// Whose outcome it was.
        provider: String,
        /// The rule.
        rule: String,
        /// What it does: the word in `do`.
        action: &'static str,
        /// `None` for a rule that decides. For one in shadow what it would have done besides, as the rest of a
        /// sentence; may be empty.
        would: Option<String>,
        /// How much it matters, if the rule says so.
        level: Level,
    },
    /// A rule has made the provider that answered the first choice.
    Switched {
        /// Who goes first now.
        to: String,
        /// The rule that said so.
        rule: String,
    },
    /// What one rule said about an outcome; only when the plan traces or records.
    Verdict {
        /// Whose answer was judged.
        provider: String,
        /// The rule's place among those of the provider, from 0.
        place: usize,
        /// The rule.
        rule: String,
        /// Did it fire?
        matched: bool,
        /// Why, or why not.
        why: String,
    },
    /// The next provider takes over.
    Failover {
        /// Who failed.
        from: String,
        /// Who is asked now.
        to: String,
        /// The rule that said so.
        rule: Option<String>,
        /// What went wrong.
        reason: String,
    },
    /// The same provider is asked once more.
    Retry {
        /// Who.
        provider: String,
        /// The rule that said so.
        rule: String,
        /// When.
        at: Ms,
        /// What was repaired before, if anything.
        repair: Option<String>,
        /// What went wrong.
        reason: String,
    },
    /// What the end of a cool down was reckoned from.
    Reckoned {
        /// Whose answer it was.
        provider: String,
        /// Which part of the rule or of the answer said so.
        from: String,
    },
    /// A failure is not yet enough for a cool down.
    Counted {
        /// Whose it was.
        provider: String,
        /// Of this one of its keys only.
        key: Option<String>,
        /// For this model only, by the provider's name of it.
        model: Option<String>,
        /// How far it is: `2 of 3 failures within 30s`.
        seen: String,
        /// The rule that counts.
        rule: String,
    },
    /// A provider cools down, or a part of it.
    CoolDown {
        /// Who.
        provider: String,
        /// By this one of its keys only.
        key: Option<String>,
        /// For this model only, by the provider's name of it.
        model: Option<String>,
        /// Until when; `None`: until a probe finds it well.
        until: Option<Ms>,
        /// The rule that said so.
        rule: String,
        /// What it is to one before.
        step: CoolDownStep,
    },
    /// A probe did not find its provider well.
    ProbeFailed {
        /// Who was asked.
        provider: String,
        /// What went wrong.
        reason: String,
        /// Until when the provider cools down, if it does: `Some(None)`: until a probe finds it well.
        cooling: Option<Option<Ms>>,
    },
    /// A provider would have been ejected, but as many are out already as may be.
    Spared {
        /// Who.
        provider: String,
        /// The rule that would have.
        rule: String,
        /// How many may be out at once.
        most: usize,
    },
    /// A provider is well again.
    Recovered {
        /// Who.
        provider: String,
        /// How that was found.
        reason: String,
    },
    /// The client got an answer.
    Answered {
        /// Whose; `None` where the router answered by itself.
        provider: Option<String>,
        /// The status.
        status: u16,
        /// Attempts made.
        attempts: u32,
        /// The last rule that decided something.
        rule: Option<String>,
    },
    /// What the gate did that holds streams back, or would have done.
    Gate {
        /// Whose stream.
        provider: String,
        /// Did it only watch?
        shadow: bool,
        /// What it did, or would have done.
        what: String,
    },
    /// A stream came to its good end.
    StreamEnded {
        /// Whose.
        provider: String,
    },
    /// A stream broke after the client had begun to read it.
    BrokenStream {
        /// Whose.
        provider: String,
        /// What went wrong.
        reason: String,
    },
    /// Another provider goes on with a stream that broke off.
    Resumed {
        /// Whose stream it was.
        from: String,
        /// Who goes on.
        to: String,
        /// The rule that said so.
        rule: Option<String>,
        /// How many characters the client had read.
        said: usize,
    },
    /// Nobody goes on with a stream that broke off.
    NotResumed {
        /// Whose stream it was.
        from: String,
    },
    /// The rules gave the client an error in words of their own.
    Refused {
        /// Which rule, or which route.
        by: String,
        /// The words.
        message: String,
    },
    /// No provider answered, and the route's `otherwise` does.
    Otherwise {
        /// Attempts made.
        attempts: u32,
        /// What the first choice among those asked did, if anybody was asked.
        reason: Option<String>,
    },
    /// No provider answered.
    NoAnswer {
        /// The status given.
        status: u16,
        /// Attempts made.
        attempts: u32,
        /// Why.
        reason: String,
    },
}

impl Event {
    /// Returns whether it is about what should survive a sudden end of the router: a choice, or a cool-down of a minute
    /// or more.
    pub fn is_lasting(&self, now: Ms) -> bool {
        const LONG: Ms = 60_000;
        match self {
            Event::Switched { .. } => true,
            Event::CoolDown { until, .. } => until.is_none_or(|until| until >= now.saturating_add(LONG)),
            _ => false,
        }
    }

    /// The failure of an [`Event::Outcome`] that is nobody's: the client left.
    pub const CLIENT_LEFT: &'static str = "client_left";

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Event::Candidates { .. } | Event::Attempt { .. } | Event::Skipped { .. } => Level::Debug,
            Event::Outcome { .. } | Event::Verdict { .. } | Event::Decided { .. } => Level::Debug,
            Event::StreamEnded { .. } | Event::Reckoned { .. } => Level::Debug,
            Event::Fired { level, .. } => *level,
            Event::Switched { .. } => Level::Warn,
            Event::Gate { .. } | Event::Counted { .. } => Level::Info,
            // The line of the whole request says more.
            Event::Answered { .. } | Event::Refused { .. } => Level::Debug,
            Event::Retry { .. } | Event::Spared { .. } | Event::Recovered { .. } => Level::Info,
            Event::ProbeFailed { .. } | Event::Otherwise { .. } => Level::Info,
            Event::CoolDown { step: CoolDownStep::GoesOn, .. } => Level::Debug,
            Event::Failover { .. } | Event::CoolDown { .. } | Event::BrokenStream { .. } => Level::Warn,
            Event::Resumed { .. } | Event::NotResumed { .. } => Level::Warn,
            Event::NoAnswer { .. } => Level::Error,
        }
    }

    /// A short name, stable, for machines.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Candidates { .. } => "candidates",
            Event::Attempt { .. } => "attempt",
            Event::Skipped { .. } => "skipped",
            Event::Outcome { .. } => "outcome",
            Event::Verdict { .. } => "verdict",
            Event::Decided { .. } => "decided",
            Event::Fired { .. } => "fired",
            Event::Switched { .. } => "switched",
            Event::Failover { .. } => "failover",
            Event::Retry { .. } => "retry",
            Event::Reckoned { .. } => "reckoned",
            Event::Counted { .. } => "counted",
            Event::CoolDown { .. } => "cool_down",
            Event::ProbeFailed { .. } => "probe_failed",
            Event::Spared { .. } => "spared",
            Event::Recovered { .. } => "recovered",
            Event::Answered { .. } => "answered",
            Event::StreamEnded { .. } => "stream_ended",
            Event::Gate { .. } => "gate",
            Event::BrokenStream { .. } => "broken_stream",
            Event::Resumed { .. } => "resumed",
            Event::NotResumed { .. } => "not_resumed",
            Event::Refused { .. } => "refused",
            Event::Otherwise { .. } => "otherwise",
            Event::NoAnswer { .. } => "no_answer",
        }
    }
}
