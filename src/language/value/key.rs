//! What tells values apart in an ordered set, so that a long list is looked through once and not once for each question.

use super::{Num, Type, Val};

/// Whole numbers up to this size are the same as integers and as floats (IEEE 754, 53 bits).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A scalar as it is looked up: equal for equal values. Lists and objects have none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LookupKey {
    /// No value.
    Nothing,
    /// Null.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// The bits of any other number.
    Float(u64),
    /// A string.
    Text(Box<str>),
}

impl Val<'_> {
    /// What this value is looked up by, if it is a scalar.
    pub fn lookup_key(&self) -> Option<LookupKey> {
        Some(match self.kind() {
            Type::Nothing => LookupKey::Nothing,
            Type::Null => LookupKey::Null,
            Type::Bool => LookupKey::Bool(self.as_bool()?),
            Type::Number => match self.as_num()? {
                Num::Int(n) => LookupKey::Int(n),
                Num::Float(n) if n.trunc() == n && n.abs() < EXACT => LookupKey::Int(n as i64),
                Num::Float(n) => LookupKey::Float(n.to_bits()),
            },
            Type::String => LookupKey::Text(self.as_str()?.into()),
            Type::List | Type::Object => return None,
        })
    }
}
