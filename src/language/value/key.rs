//! What tells values apart in an ordered set, so that a long list is looked through once and not once for each question.

use super::{Num, Type, Val};

/// Whole numbers up to this size are the same as integers and as floats (IEEE 754, 53 bits).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value as it is looked up: equal for equal values.
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
    /// A list or an object, as one text for all that are equal.
    Tree(Box<[u8]>),
}

impl Val<'_> {
    /// What this value is looked up by.
    pub fn lookup_key(&self) -> LookupKey {
        let found = match self.kind() {
            Type::Nothing => Some(LookupKey::Nothing),
            Type::Null => Some(LookupKey::Null),
            Type::Bool => self.as_bool().map(LookupKey::Bool),
            Type::Number => self.as_num().map(|number| match number {
                Num::Int(n) => LookupKey::Int(n),
                Num::Float(n) if n.trunc() == n && n.abs() < EXACT => LookupKey::Int(n as i64),
                Num::Float(n) => LookupKey::Float(n.to_bits()),
            }),
            Type::String => self.as_str().map(|text| LookupKey::Text((&*text).into())),
            Type::List | Type::Object => None,
        };
        found.unwrap_or_else(|| {
            let mut out = Vec::new();
            match self.json() {
                Some(node) => node.write_canonical(&mut out),
                None => {
                    if let Some(node) = self.clone().into_owned().json() {
                        node.write_canonical(&mut out);
                    }
                }
            }
            LookupKey::Tree(out.into())
        })
    }
}
