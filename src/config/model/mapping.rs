//! A mapping file: how a client's protocol becomes a provider's, and back.

use super::{Spanned, Table};
use crate::config::record::record;
use crate::text::yaml::Node;

record! {
    /// How one protocol becomes another: request, answer, stream and errors.
    pub struct Mapping: "a mapping" {
        /// Between which protocols.
        mapping: MappingPair,
        /// Templates by name, for `$use`.
        fragments: Option<Node>,
        /// What of a provider's `with` it reads.
        parameters: Table<Parameter>,
        /// From the client's body to the provider's.
        request: Option<Node>,
        /// Values over the client's request, read later as `$keep.NAME`.
        keep: Option<Node>,
        /// What of a client's request the provider does not get, by name: conditions over the request. Told in
        /// `x-rulegate-dropped`; a failover rule with `dropped` can ask another provider instead.
        losses: Table<Node>,
        /// From the provider's whole answer to the client's.
        response: Option<Node>,
        /// From the provider's error to the client's.
        error: Option<Node>,
        /// From the provider's stream to the client's.
        stream: Option<Node>,
        /// Further headers for the provider.
        headers: Table<Node>,
        /// Headers of a good answer for the client; templates over `$header`, the provider's.
        returned("return"): Table<Node>,
        /// Examples.
        tests: Vec<MappingTest>,
    }

    /// Between which protocols a mapping is.
    pub struct MappingPair: "`mapping`" {
        /// What the client speaks.
        from: Spanned<String>,
        /// What the provider speaks.
        to: Spanned<String>,
    }

    /// A parameter that a provider may give in `with`.
    pub struct Parameter: "a parameter" {
        /// Its value when the provider gives none.
        default: Option<Node>,
        /// The words that it may be, where only these mean something.
        values: Vec<Spanned<String>>,
        /// What it is for.
        doc: Option<String>,
    }

    /// An example of a mapping: one of `request`, `response`, `error` and `stream`, and what comes of it.
    pub struct MappingTest: "a test of a mapping" {
        /// What it shows.
        name: Spanned<String>,
        /// A client's request, which becomes the provider's; for the others, the request that went before.
        request: Option<Node>,
        /// A provider's answer, which becomes the client's.
        response: Option<Node>,
        /// A provider's error, which becomes the client's.
        error: Option<Node>,
        /// A provider's events, which become the client's.
        stream: Option<Node>,
        /// The status of the answer or error.
        status: Option<Spanned<u16>>,
        /// Headers of the request or answer.
        headers: Table<Spanned<String>>,
        /// The parameters of the provider.
        with: Table<Node>,
        /// The name of the model that the provider is asked for.
        model: Option<Spanned<String>>,
        /// Anything else that the example needs.
        given: Option<Node>,
        /// What should come of it.
        expect: Node,
    }
}
