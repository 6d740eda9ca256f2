//! Puts the values of variables in their places in a YAML tree, before it is read as anything.

use super::secrets::{Values, canonical};
use super::variables::{self, Piece, Unset};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Sources, Span};
use crate::text::yaml::{Kind, Node};

/// Where values come from, and what has been seen of them.
pub struct Substitution<'e> {
    env: &'e dyn Fn(&str) -> Option<String>,
    secrets: Values,
    /// Scalars with a variable that is not set and has no default, and the names.
    unset: Vec<(Span, Vec<String>)>,
    /// Scalars whose variable cannot be read, or says by itself what is wrong when it is not set.
    complained: Vec<Span>,
}

impl<'e> Substitution<'e> {
    /// Values from the environment.
    pub fn new(env: &'e dyn Fn(&str) -> Option<String>) -> Substitution<'e> {
        Substitution { env, secrets: Values::new(), unset: Vec::new(), complained: Vec::new() }
    }

    /// Values for what the environment does not have.
    pub fn secrets(&mut self) -> &mut Values {
        &mut self.secrets
    }

    /// Scalars that could not be completed, and the names of the variables.
    pub fn unset(&self) -> &[(Span, Vec<String>)] {
        &self.unset
    }

    /// The places of all scalars that could not be completed.
    pub fn incomplete(&self) -> Vec<Span> {
        self.unset.iter().map(|(span, _)| *span).chain(self.complained.iter().copied()).collect()
    }

    /// An empty variable counts as not set, as `:-` has it in a shell: compose files set variables to nothing
    /// when the host has none.
    fn value(&self, name: &str) -> Option<String> {
        let set = (self.env)(name).filter(|value| !value.is_empty());
        set.or_else(|| self.secrets.get(&canonical(name)).cloned())
    }

    /// Completes all scalars under `node`. Values that were used are hidden in `sources`, so that no
    /// diagnostic shows them.
    pub fn apply(&mut self, node: &mut Node, sources: &mut Sources, diags: &mut Diagnostics) {
        match &mut node.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| self.apply(item, sources, diags)),
            Kind::Map(entries) => {
                entries.iter_mut().for_each(|(_, value)| self.apply(value, sources, diags));
            }
            Kind::String(text) if text.contains("${") => {
                let text = std::mem::take(text);
                node.kind = self.scalar(&text, node.span, sources, diags);
            }
            _ => {}
        }
    }

    fn scalar(&mut self, text: &str, span: Span, sources: &mut Sources, diags: &mut Diagnostics) -> Kind {
        let pieces = match variables::pieces(text) {
            Ok(pieces) => pieces,
            Err((at, reason)) => {
                // In a plain scalar the text is what stands in the file, so that the place is exact.
                let place = if sources.slice(span) == text { span.part(at, text.len()) } else { span };
                diags.push(
                    Diagnostic::error("bad-variable", "this is not a variable")
                        .at(place)
                        .label(reason)
                        .help("write `$${` for the text `${`"),
                );
                self.complained.push(span);
                return Kind::String(text.to_string());
            }
        };
        let mut out = String::new();
        let mut unset = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(part) => out.push_str(part),
                Piece::Escaped => out.push_str("${"),
                Piece::Variable(variable) => match (self.value(variable.name), variable.unset) {
                    (Some(value), _) => {
                        sources.hide(&value, &format!("${{{}}}", variable.name));
                        out.push_str(&value);
                    }
                    (None, Unset::Default(default)) => out.push_str(default),
                    (None, Unset::Nothing) => unset.push(variable.name.to_string()),
                    (None, Unset::Message(message)) => {
                        if !self.complained.contains(&span) {
                            let said = format!("`{}` is not set: {message}", variable.name);
                            diags.push(
                                Diagnostic::error("unset-variable", said).at(span).label("needed here"),
                            );
                        }
                        self.complained.push(span);
                    }
                },
            }
        }
        if !unset.is_empty() {
            // Only the names stay: whoever reads the scalar sees that it is not complete, and why.
            let names: String = unset.iter().map(|name| format!("${{{name}}}")).collect();
            if !self.unset.iter().any(|(place, _)| *place == span) {
                self.unset.push((span, unset));
            }
            return Kind::String(names);
        }
        if is_plain(sources.slice(span)) { typed(out) } else { Kind::String(out) }
    }
}

/// Whether a scalar stands in the file without quotes: only those have a type besides text.
fn is_plain(written: &str) -> bool {
    !written.starts_with(['"', '\'', '|', '>'])
}

fn typed(text: String) -> Kind {
    match text.as_str() {
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        _ if serde_json::from_str::<serde_json::Number>(&text).is_ok() => Kind::Number(text),
        _ => Kind::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::yaml;

    fn env(name: &str) -> Option<String> {
        match name {
            "PORT" => Some("8000".into()),
            "KEY" => Some("sk-secret".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn json(text: &str) -> (String, String) {
        let mut sources = Sources::new();
        let file = sources.add("a.yaml", text);
        let mut node = yaml::parse(file, text).unwrap();
        let mut diags = Diagnostics::new();
        let mut substitution = Substitution::new(&env);
        substitution.secrets().insert("FROM_FILE".into(), "filed".into());
        substitution.secrets().insert("PORT".into(), "1".into());
        substitution.apply(&mut node, &mut sources, &mut diags);
        let mut out = Vec::new();
        node.to_json_bytes(&mut out);
        (String::from_utf8(out).unwrap(), diags.render(&sources, false))
    }

    #[test]
    fn values_are_put_in_and_typed_as_if_written() {
        assert_eq!(json("a: ${PORT}").0, r#"{"a":8000}"#);
        assert_eq!(json("a: ${PORT}1").0, r#"{"a":80001}"#);
        assert_eq!(json("a: \"${PORT}\"").0, r#"{"a":"8000"}"#);
        assert_eq!(json("a: [ '${PORT}', \"${PORT}1\" ]").0, r#"{"a":["8000","80001"]}"#);
        assert_eq!(json("a: ${NONE:-true}").0, r#"{"a":true}"#);
        assert_eq!(json("a: h:${EMPTY:-1}").0, r#"{"a":"h:1"}"#);
        assert_eq!(json("a: ${from_file}").0, r#"{"a":"filed"}"#);
        assert_eq!(json("a: $${KEY}").0, r#"{"a":"${KEY}"}"#);
        assert_eq!(json("a: x${KEY}y${NONE}").0, r#"{"a":"${NONE}"}"#);
    }

    #[test]
    fn mistakes_are_located() {
        let (_, said) = json("a: b\nc: x${KEY");
        assert!(said.contains("a.yaml:2:5") && said.contains("without `}`"), "{said}");
        let (_, said) = json("a: ${NONE:?set it to your key}");
        assert!(said.contains("`NONE` is not set: set it to your key"), "{said}");
    }
}
