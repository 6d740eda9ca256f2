//! The same engine without sockets: the tests that stand beside the rules.

pub mod explain;
pub mod rule_tests;
