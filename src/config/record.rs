//! From YAML nodes to typed records: one declaration gives decoding, diagnostics and the JSON schema.
//!
//! A decoder never stops at the first mistake. What is wrong is reported, what is right is kept, so that
//! one run of `check` shows everything. `None` means "this value is of no use, and it has been reported".

use serde_json::{Map, Value, json};

use crate::text::diagnostic::{Diagnostic, Diagnostics, FileId, Span, did_you_mean};
use crate::text::yaml::{Key, Kind, Node};

mod mistakes;

pub use mistakes::{unknown_key, wrong_type, wrong_type_but};

/// A type that can be read from a YAML node and can describe itself as JSON Schema.
pub trait FromNode: Sized {
    /// Whether an explicit `null` is a value of this type. For all other types `key:` with nothing after it
    /// means the same as leaving the key out, because that is what a person who comments lines out has meant.
    const KEEPS_NULL: bool = false;

    /// Reads the node. Everything that is wrong goes to `diags`.
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self>;

    /// The value for a key that is not there; `None` makes the key required. `at` is where it is missing.
    fn absent(_at: Span) -> Option<Self> {
        None
    }

    /// The JSON Schema of this type.
    fn schema(schemas: &mut Schemas) -> Value;

    /// The value as one would write it, where that is a word or a number: what the schema tells of a default.
    fn written(&self) -> Option<Value> {
        None
    }
}

/// A place for where there is none: only whether there is a value matters then.
pub const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

/// The named definitions that a schema document collects while it is made.
#[derive(Default)]
pub struct Schemas {
    definitions: Map<String, Value>,
}

impl Schemas {
    /// A reference to the definition `name`, which is made at its first use. Recursion is fine.
    pub fn define(&mut self, name: &str, make: impl FnOnce(&mut Schemas) -> Value) -> Value {
        if !self.definitions.contains_key(name) {
            self.definitions.insert(name.to_string(), Value::Null);
            let made = make(self);
            self.definitions.insert(name.to_string(), made);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// A definition that has been made, to make another of it.
    pub fn definition(&self, name: &str) -> Value {
        self.definitions.get(name).cloned().unwrap_or_default()
    }

    /// All definitions, by name.
    pub fn into_definitions(self) -> Map<String, Value> {
        self.definitions
    }
}

/// What a record says of one of its keys; used for schemas and for listing what could have been meant.
pub struct FieldDoc {
    /// The key as it is written in YAML.
    pub key: &'static str,
    /// The doc comment.
    pub doc: String,
    /// Whether the key may not be left out.
    pub required: bool,
    /// The schema of its value.
    pub schema: Value,
    /// The value if it is left out, as one would write it.
    pub default: Option<Value>,
}

/// Joins the lines of a doc comment.
pub fn doc_text(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_string()
}

/// The schema of a mapping with these keys and no others (but `x-...`, which is the author's own).
pub fn object_schema(doc: &str, fields: Vec<FieldDoc>) -> Value {
    let required: Vec<Value> =
        fields.iter().filter(|field| field.required).map(|field| Value::from(field.key)).collect();
    let mut properties = Map::new();
    for field in fields {
        let mut schema = field.schema;
        if let Value::Object(members) = &mut schema {
            members.insert("description".into(), Value::from(field.doc));
            members.extend(field.default.map(|default| ("default".to_owned(), default)));
        }
        properties.insert(field.key.to_string(), schema);
    }
    let mut object = json!({ "type": "object", "description": doc, "properties": properties });
    if let Value::Object(members) = &mut object {
        if !required.is_empty() {
            members.insert("required".into(), Value::Array(required));
        }
        members.insert("patternProperties".into(), json!({ "^x-": true }));
        members.insert("additionalProperties".into(), Value::Bool(false));
    }
    object
}

/// A mapping on its way to becoming a record.
pub struct Fields<'n> {
    what: &'static str,
    entries: &'n [(Key, Node)],
    /// Keys of the record that unknown ones were probably meant to be.
    meant: Vec<&'static str>,
    span: Span,
}

impl<'n> Fields<'n> {
    /// Begins to read `node` as a record called `what` ("a provider"), and reports keys that it does not have.
    pub fn open(
        node: &'n Node,
        what: &'static str,
        known: &[&'static str],
        diags: &mut Diagnostics,
    ) -> Option<Fields<'n>> {
        let Some(entries) = node.as_map() else {
            wrong_type(node, &format!("{what} is a mapping"), diags);
            return None;
        };
        let mut meant = Vec::new();
        for (key, _) in entries {
            if !known.contains(&key.text.as_str()) && !key.text.starts_with("x-") {
                diags.push(unknown_key(key, what, known.iter().copied()));
                meant.extend(did_you_mean(&key.text, known.iter().copied()));
            }
        }
        Some(Fields { what, entries, meant, span: head_span(node) })
    }

    /// The value of `key`, else `default`, else what the type says of an absent key.
    pub fn take<T: FromNode>(
        &self,
        key: &str,
        default: Option<fn() -> T>,
        diags: &mut Diagnostics,
    ) -> Option<T> {
        let found = self.entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node);
        let fallback = || default.map(|make| make()).or_else(|| T::absent(self.span));
        match found {
            Some(node) if !T::KEEPS_NULL && node.kind == Kind::Null => match fallback() {
                Some(value) => Some(value),
                None => T::from_node(node, diags),
            },
            // A broken optional value has been reported; going on without it finds the other mistakes too.
            Some(node) => T::from_node(node, diags).or_else(fallback),
            None => match fallback() {
                Some(value) => Some(value),
                // It is there under a misspelt name, and that has been reported.
                None if self.meant.contains(&key) => None,
                None => {
                    let message = format!("{} needs `{key}`", self.what);
                    let label = format!("`{key}` is missing here");
                    diags.push(Diagnostic::error("missing-key", message).at(self.span).label(label));
                    None
                }
            },
        }
    }
}

/// Where to point when something is wrong with a mapping as a whole: at its first key, since the whole may
/// be a hundred lines.
pub fn head_span(node: &Node) -> Span {
    node.as_map().and_then(|entries| entries.first()).map_or(node.span, |(key, _)| key.span)
}

/// Declares records. Each has `span`, its place in the file, besides the fields that stand in the declaration.
///
/// ```ignore
/// record! {
///     /// What it is, for readers and for the schema.
///     pub struct Retry: "a retry" {
///         /// How often.
///         times: u32,                         // required, unless the type says what absence means
///         /// How long to wait first.
///         backoff: Duration = Duration::ZERO, // with a default
///         /// What then.
///         next_step("then"): Then,            // written `then:` in YAML
///     }
/// }
/// ```
macro_rules! record {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $Name:ident : $what:literal {
            $( $(#[doc = $fdoc:literal])* $field:ident $(($key:literal))? : $ty:ty $(= $default:expr)? ),* $(,)?
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub struct $Name {
            /// Where it stands: its first key.
            #[allow(dead_code, reason = "not every record has a use for it")]
            pub span: $crate::text::diagnostic::Span,
            $( $(#[doc = $fdoc])* pub $field: $ty, )*
        }

        impl $Name {
            /// The keys, as they are written in YAML.
            pub const KEYS: &'static [&'static str] =
                &[$( $crate::config::record::record!(@key $field $($key)?) ),*];

            /// The keys, and of each a mark that is the same where the value means the same.
            #[allow(dead_code, reason = "not every record is compared by itself")]
            pub fn parts(&self) -> Vec<$crate::config::changes::Part> {
                vec![$( ($crate::config::record::record!(@key $field $($key)?),
                    $crate::config::changes::mark(&self.$field)) ),*]
            }
        }

        impl $crate::config::record::FromNode for $Name {
            fn from_node(
                node: &$crate::text::yaml::Node,
                diags: &mut $crate::text::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let fields = $crate::config::record::Fields::open(node, $what, Self::KEYS, diags)?;
                $( let $field: Option<$ty> = fields.take(
                    $crate::config::record::record!(@key $field $($key)?),
                    $crate::config::record::record!(@default $ty $(, $default)?),
                    diags,
                ); )*
                Some($Name { span: $crate::config::record::head_span(node), $( $field: $field?, )* })
            }

            fn schema(schemas: &mut $crate::config::record::Schemas) -> serde_json::Value {
                schemas.define(stringify!($Name), |schemas| {
                    let fields = vec![$( $crate::config::record::FieldDoc {
                        key: $crate::config::record::record!(@key $field $($key)?),
                        doc: $crate::config::record::doc_text(&[$($fdoc),*]),
                        required: $crate::config::record::record!(@required $ty $(, $default)?),
                        schema: <$ty as $crate::config::record::FromNode>::schema(schemas),
                        default: {
                            let make: Option<fn() -> $ty> = $crate::config::record::record!(@default $ty $(, $default)?);
                            make.and_then(|make| $crate::config::record::FromNode::written(&make()))
                        },
                    } ),*];
                    let doc = $crate::config::record::doc_text(&[$($doc),*]);
                    $crate::config::record::object_schema(&doc, fields)
                })
            }
        }
    )*};
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@default $ty:ty) => { None };
    (@default $ty:ty, $default:expr) => { Some((|| $default) as fn() -> $ty) };
    (@required $ty:ty) => { <$ty as $crate::config::record::FromNode>::absent($crate::config::record::NOWHERE).is_none() };
    (@required $ty:ty, $default:expr) => { false };
}
pub(crate) use record;

/// Declares enums whose values are words in YAML.
macro_rules! words {
    ($(
        $(#[doc = $doc:literal])*
        pub enum $Name:ident : $what:literal {
            $( $(#[doc = $vdoc:literal])* $Variant:ident = $word:literal ),* $(,)?
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $Name { $( $(#[doc = $vdoc])* $Variant ),* }

        impl $Name {
            /// All of them, in the order of declaration.
            #[allow(dead_code, reason = "not every set of words has a use for it")]
            pub const ALL: &'static [$Name] = &[$( $Name::$Variant ),*];

            /// The word that stands for it in YAML.
            pub fn word(self) -> &'static str {
                match self { $( $Name::$Variant => $word ),* }
            }
        }

        impl $crate::config::record::FromNode for $Name {
            fn from_node(
                node: &$crate::text::yaml::Node,
                diags: &mut $crate::text::diagnostic::Diagnostics,
            ) -> Option<Self> {
                $crate::config::record::word(node, $what, &[$( ($word, $Name::$Variant) ),*], diags)
            }

            fn schema(_: &mut $crate::config::record::Schemas) -> serde_json::Value {
                serde_json::json!({ "enum": [$( $word ),*] })
            }

            fn written(&self) -> Option<serde_json::Value> {
                Some(self.word().into())
            }
        }
    )*};
}
pub(crate) use words;

/// Reads one of a few words; `what` is how a person calls them ("a scope").
pub fn word<T: Copy>(
    node: &Node,
    what: &str,
    table: &[(&'static str, T)],
    diags: &mut Diagnostics,
) -> Option<T> {
    let names: Vec<&'static str> = table.iter().map(|(name, _)| *name).collect();
    let Some(text) = node.as_str() else {
        wrong_type(node, &format!("{what} is one of: {}", names.join(", ")), diags);
        return None;
    };
    if let Some((_, value)) = table.iter().find(|(name, _)| *name == text) {
        return Some(*value);
    }
    let diagnostic = Diagnostic::error("unknown-word", format!("`{text}` is not {what}"))
        .at(node.span)
        .label(format!("not {what}"));
    diags.push(match did_you_mean(text, names.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic.help(format!("one of: {}", names.join(", "))),
    });
    None
}

#[cfg(test)]
mod tests;
