//! Lists and objects that a template wrote: read only when somebody looks inside.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::{LookupKey, Type, Val, parse_produced};
use crate::text::json::Doc;

/// A list or an object as JSON text. Most of them are only asked whether they are empty, and then written once
/// more; a tape is laid when somebody looks inside.
pub struct Made {
    bytes: Vec<u8>,
    doc: OnceLock<Arc<Doc>>,
    /// The items of a long list.
    keys: OnceLock<BTreeSet<LookupKey>>,
}

/// In a list of so many items a value is looked for one by one; a longer one is sorted first.
pub const SHORT: usize = 16;

impl Made {
    /// The same, read.
    pub(super) fn doc(&self) -> &Arc<Doc> {
        let read = || Arc::new(Doc::from_vec(self.bytes.clone()).unwrap_or_else(|_| Doc::null()));
        self.doc.get_or_init(read)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == 2
    }

    /// Whether one of a list's items is this value.
    pub(super) fn has_item(&self, value: &Val<'_>) -> bool {
        let list = self.doc().root();
        if list.len() <= SHORT {
            return match value.as_str() {
                Some(text) => list.items().any(|item| item.is_str(&text)),
                None => list.items().any(|item| Val::Json(item).equals(value)),
            };
        }
        let read = || list.items().map(|item| Val::Json(item).lookup_key()).collect();
        self.keys.get_or_init(read).contains(&value.lookup_key())
    }

    pub(super) fn kind(&self) -> Type {
        if self.bytes.starts_with(b"[") { Type::List } else { Type::Object }
    }
}

/// What a template wrote, one JSON value or nothing at all, as a value.
pub fn made(bytes: Vec<u8>) -> Val<'static> {
    match bytes.first() {
        None => Val::Nothing,
        Some(b'[' | b'{') => Val::Made(Arc::new(Made { bytes, doc: OnceLock::new(), keys: OnceLock::new() })),
        Some(_) => parse_produced(bytes),
    }
}
