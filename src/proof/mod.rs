//! The same engine without sockets: the tests that stand beside the rules.

pub mod rule_tests;
