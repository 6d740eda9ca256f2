//! The files as types: what people may write in rules.yaml, in a mapping file and in a protocol file.
//!
//! Templates, conditions and patches stay YAML nodes here; they are compiled when the engine is built.

mod access;
mod bounds;
mod callers;
mod catalog;
mod failover;
mod health;
mod hours;
mod mapping;
mod protocol;
mod provider;
mod refusal;
mod repair;
mod route;
mod rule_test;
mod rules;
mod timeouts;
mod tls;
mod when;

pub use super::values::{ByteSize, Pattern, Percent, Several, Spanned, Table};
pub use access::{Access, AccessOrOpen, ClientKey, Key, Listen, Published};
pub use bounds::Bounds;
pub use callers::{Host, Network, Origin};
pub use catalog::{Catalog, ProviderPart};
pub use failover::{
    Action, After, CoolDown, CoolDownScope, CoolDownTable, Down, FailoverRule, LogLevel, Repair, RepairThen,
    Retry, Then, Wait, WaitFor, WhichMoment,
};
pub use health::Probe;
pub use mapping::{Mapping, MappingPair, MappingTest, Parameter};
pub use protocol::{
    AnswerKind, Auth, Framing, Protocol, Query, RequestBody, Resumption, Send, StreamShape, UsageShape,
    WhichModels,
};
pub use provider::{ListEdit, ModelRule, Models, NamedKey, Provider, ProviderKey, ProviderTls, Rotate};
pub use refusal::{LONGEST_MESSAGE, LONGEST_TYPE, Refusal, Refuse};
pub use repair::{ListRepair, RequestRepair};
pub use route::{Gate, GateMode, KeepAlive, Method, Route, Spread, SpreadBy};
pub use rule_test::{
    ANYBODY, Body, Expect, ExpectFacts, ExpectProvider, Given, LaterRequest, MOST_TIMES, RuleTest,
};
pub use rules::{Decisions, FoundFile, Limits, OnRuleRemoved, Recovery, Rules, RulesFile};
pub use timeouts::Timeouts;
pub use tls::{ClientCertificate, ListenTls};
pub use when::{BodyKind, Count, FACTS, Fact, FailureKind, Phase, When};
