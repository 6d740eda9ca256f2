//! Tests beside the rules: what providers answer, and what should come of it.

use std::time::Duration;

use serde_json::Value;

use super::{FailureKind, Several, Spanned, Table};
use crate::config::record::{FromNode, Schemas, head_span, record, unknown_key};
use crate::text::diagnostic::{Diagnostics, Span};
use crate::text::units::StatusSet;
use crate::text::yaml::{Kind, Node};

/// The name in `given` that stands for every provider that is not named there.
pub const ANYBODY: &str = "*";
/// A request of an example is sent no more often than this.
pub const MOST_TIMES: u32 = 1000;

record! {
    /// An example: a request, what each provider answers, and what should happen.
    pub struct RuleTest: "a test" {
        /// What it shows.
        name: Spanned<String>,
        /// The body of the request, or `{ file: PATH }`.
        request: Body,
        /// The path it is sent to; without it, the first route that has a protocol.
        path: Option<Spanned<String>>,
        /// Its headers.
        headers: Table<Spanned<String>>,
        /// When it is sent: an instant such as 2026-01-31T12:00:00Z or seconds since 1970.
        at: Option<Node>,
        /// What each provider answers: one answer, or several for one attempt after the other. `"*"` is for all that are not named.
        given: Table<Several<Given>>,
        /// How often it is sent, one after the other; `expect` is about the last time.
        times: Option<Spanned<u32>>,
        /// What should happen.
        expect: Expect,
        /// What comes after it, one request after the other; what is known of providers by then still holds.
        then: Vec<LaterRequest>,
    }

    /// A later request of the same example.
    pub struct LaterRequest: "a further request" {
        /// How much later than the end of the one before.
        after: Duration = Duration::ZERO,
        /// The body of the request, or `{ file: PATH }`; without it, the same once more.
        request: Option<Body>,
        /// Its headers; without any, the same.
        headers: Table<Spanned<String>>,
        /// What providers answer now; those that are not named begin again with what they answered at first.
        given: Table<Several<Given>>,
        /// How often it is sent, one after the other; `expect` is about the last time.
        times: Option<Spanned<u32>>,
        /// What should happen.
        expect: Expect,
    }

    /// What a simulated provider does.
    pub struct Given: "a given answer" {
        /// The status. Default 200.
        status: Option<Spanned<u16>>,
        /// Headers.
        headers: Table<Spanned<String>>,
        /// The body: text as it stands, anything else as JSON.
        body: Option<Node>,
        /// A file with the body.
        file: Option<Spanned<String>>,
        /// The events of a stream: text as it stands, anything else as JSON.
        stream: Option<Vec<Node>>,
        /// Instead of an answer, or after the events of `stream`: what goes wrong.
        failure: Option<Spanned<FailureKind>>,
        /// How long it takes.
        after: Option<Duration>,
    }

    /// What should be seen; what is not mentioned does not matter.
    pub struct ExpectFacts: "`expect`" {
        /// Who answered.
        provider: Option<Spanned<String>>,
        /// The last failover rule that decided.
        rule: Option<Spanned<String>>,
        /// Rules that fired, whoever answered in the end: also those in shadow, and those for what broke while the
        /// client was reading.
        fired: Several<Spanned<String>> = Several(Vec::new()),
        /// The client's status.
        status: Option<StatusSet>,
        /// A condition on the client's body.
        body: Option<Node>,
        /// The client's body or stream contains this text.
        contains: Option<Several<Spanned<String>>>,
        /// The client's headers: conditions by name.
        headers: Table<Node>,
        /// The names of all providers that were asked, in order.
        asked: Option<Vec<Spanned<String>>>,
        /// How many attempts there were.
        attempts: Option<Spanned<u32>>,
    }

    /// What should be true of one provider afterwards.
    pub struct ExpectProvider: "what is expected of a provider" {
        /// `available`, `unknown`, `cooling` or `down`.
        state: Option<Spanned<String>>,
        /// The end of its cool down: an instant, or seconds since 1970.
        cooling_until: Option<Node>,
        /// The length of its cool down.
        cooling_for: Option<Duration>,
        /// A matcher for the URL that it was asked at last, query included.
        url: Option<Node>,
        /// A condition on the body that it was sent last.
        request: Option<Node>,
        /// Conditions on the headers that it was sent last.
        headers: Table<Node>,
        /// How often it was asked.
        attempts: Option<Spanned<u32>>,
        /// The names of its keys that were used, in order.
        keys: Option<Vec<Spanned<String>>>,
    }
}

impl RuleTest {
    /// The requests of the example in order, each as an example of its own, and how much later it comes.
    pub fn steps(&self) -> Vec<(Duration, RuleTest)> {
        let mut first = self.clone();
        let then = std::mem::take(&mut first.then);
        let later = |step: LaterRequest| {
            let mut test = first.clone();
            test.request = step.request.unwrap_or(test.request);
            if !step.headers.is_empty() {
                test.headers = step.headers;
            }
            let mut given = step.given;
            for (name, answers) in test.given.iter() {
                if given.get(&name.text).is_none() {
                    given.push(name.clone(), answers.clone());
                }
            }
            (step.after, RuleTest { given, expect: step.expect, times: step.times, ..test })
        };
        let later: Vec<_> = then.into_iter().map(later).collect();
        let steps = std::iter::once((Duration::ZERO, first.clone())).chain(later);
        steps.flat_map(|(after, test)| test.repeated(after)).collect()
    }

    /// As often as the test is sent: nothing is expected of any but the last time.
    fn repeated(self, after: Duration) -> Vec<(Duration, RuleTest)> {
        let times = self.times.as_ref().map_or(1, |times| times.value).clamp(1, MOST_TIMES);
        let before = RuleTest { expect: Expect::nothing(self.expect.facts.span), ..self.clone() };
        let mut all = vec![(Duration::ZERO, before); times as usize - 1];
        all.push((Duration::ZERO, self));
        if let Some((first, _)) = all.first_mut() {
            *first = after;
        }
        all
    }
}

/// A body: as it stands in the rules, or in a file of its own.
#[derive(Clone, Debug)]
pub enum Body {
    /// Here.
    Inline(Node),
    /// `{ file: PATH }`, relative to the file that says so; `Rules::file` has what is in it.
    File(Spanned<String>),
}

impl FromNode for Body {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        match node.as_map() {
            Some([(key, path)]) if key.text == "file" => Spanned::from_node(path, diags).map(Body::File),
            _ => Some(Body::Inline(node.clone())),
        }
    }

    fn schema(schemas: &mut Schemas) -> Value {
        Node::schema(schemas)
    }
}

/// What should happen: facts about the answer, and by name facts about providers.
#[derive(Clone, Debug)]
pub struct Expect {
    /// About the answer.
    pub facts: ExpectFacts,
    /// About providers.
    pub providers: Table<ExpectProvider>,
}

impl Expect {
    /// Nothing in particular.
    fn nothing(span: Span) -> Expect {
        let facts = ExpectFacts {
            span,
            provider: None,
            rule: None,
            fired: Several(Vec::new()),
            status: None,
            body: None,
            contains: None,
            headers: Table::default(),
            asked: None,
            attempts: None,
        };
        Expect { facts, providers: Table::default() }
    }
}

impl FromNode for Expect {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let entries = node.as_map().map(<[_]>::to_vec).unwrap_or_default();
        if entries.is_empty() {
            return ExpectFacts::from_node(node, diags)
                .map(|facts| Expect { facts, providers: Table::default() });
        }
        let known = ExpectFacts::KEYS;
        let (facts, rest): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| known.contains(&key.text.as_str()));
        let mut providers = Table::default();
        for (key, value) in rest {
            if value.as_map().is_none() {
                let known = known.iter().copied();
                diags.push(
                    unknown_key(&key, "`expect`", known).help("or the name of a provider, with a mapping"),
                );
            } else if let Some(expected) = ExpectProvider::from_node(&value, diags) {
                providers.push(key, expected);
            }
        }
        let facts = Node { span: head_span(node), kind: Kind::Map(facts.into()) };
        Some(Expect { facts: ExpectFacts::from_node(&facts, diags)?, providers })
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.define("Expect", |schemas| {
            // The facts, and beside them any name of a provider.
            ExpectFacts::schema(schemas);
            let of_provider = ExpectProvider::schema(schemas);
            let mut expect = schemas.definition("ExpectFacts");
            if let Value::Object(members) = &mut expect {
                members.insert("additionalProperties".into(), of_provider);
            }
            expect
        })
    }
}
