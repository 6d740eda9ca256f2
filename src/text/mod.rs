//! The ground: text as people write it and machines read it, knowing nothing of proxies.

pub mod diagnostic;
pub mod form;
pub mod json;
pub mod key_shapes;
pub mod path;
pub mod pattern;
pub mod sse;
pub mod units;
pub mod visible;
pub mod yaml;
