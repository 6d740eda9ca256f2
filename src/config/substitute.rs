//! Puts the values of variables in their places in a YAML tree, before it is read as anything.

use std::collections::BTreeMap;

use super::proxies::ProxyVariables;
use super::secrets::{Values, canonical};
use super::variables::{self, Piece, Unset};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Sources, Span};
use crate::text::yaml::{Kind, Node};

/// Where values come from, and what has been seen of them.
pub struct Substitution<'e> {
    env: &'e dyn Fn(&str) -> Option<String>,
    secrets: Values,
    /// Values that stand in files of their own.
    files: BTreeMap<String, Option<String>>,
    /// The values in the rules in force.
    last: &'e Values,
    /// The values that were put in.
    used: Values,
    /// Whether a file with values is missing or damaged: then nothing was taken away on purpose.
    misses_a_file: bool,
    /// Variables whose value may have been read while it was written.
    torn: Vec<String>,
    /// Scalars that are keys or addresses, in which no stray character may stand.
    strict: Vec<Span>,
    /// Scalars that lose their value when somebody takes it away: keys that let clients in.
    revocable: Vec<Span>,
    /// Scalars with a variable that is not set and has no default, and the names.
    unset: Vec<(Span, Vec<String>)>,
    /// Scalars with a variable's value in them, and the variable's name.
    filled: Vec<(Span, String)>,
    /// Scalars whose variable cannot be read, or says by itself what is wrong when it is not set.
    complained: Vec<Span>,
    /// Variables of which it has been said that they keep their value.
    kept: Vec<String>,
}

impl<'e> Substitution<'e> {
    /// Values from the environment; `last` are those in the rules in force, for what is no longer set.
    pub fn new(env: &'e dyn Fn(&str) -> Option<String>, last: &'e Values) -> Substitution<'e> {
        Substitution {
            env,
            last,
            secrets: Values::new(),
            files: BTreeMap::new(),
            used: Values::new(),
            misses_a_file: false,
            torn: Vec::new(),
            strict: Vec::new(),
            revocable: Vec::new(),
            unset: Vec::new(),
            filled: Vec::new(),
            complained: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// What the environment says of proxies.
    pub fn proxy_variables(&self) -> ProxyVariables {
        ProxyVariables::read(self.env)
    }

    /// Values for what the environment does not have.
    pub fn secrets(&mut self) -> &mut Values {
        &mut self.secrets
    }

    /// Notes that a file with values is missing or damaged.
    pub fn misses_a_file(&mut self) {
        self.misses_a_file = true;
    }

    /// Notes that a variable's value may have been read while it was written.
    pub fn may_be_torn(&mut self, name: Option<String>) {
        self.torn.extend(name);
    }

    /// Notes which scalars are keys or addresses.
    pub fn strict<'n>(&mut self, scalars: impl IntoIterator<Item = &'n Node>) {
        self.strict.extend(scalars.into_iter().map(|scalar| scalar.span));
    }

    /// Notes which scalars keep no value that was taken away.
    pub fn revocable<'n>(&mut self, scalars: impl IntoIterator<Item = &'n Node>) {
        self.revocable.extend(scalars.into_iter().map(|scalar| scalar.span));
    }

    /// The variables under `node` whose values stand in files of their own that have not been read yet, and the files.
    pub fn files_wanted(&self, node: &Node) -> Vec<(String, String)> {
        let mut wanted = Vec::new();
        each_text(node, &mut |text| {
            for name in variables::names(text) {
                let is_known =
                    self.files.contains_key(&name) || wanted.iter().any(|(known, _)| *known == name);
                if is_known || self.environment(&name).is_some() {
                    continue;
                }
                if let Some(path) = self.environment(&format!("{name}_FILE")) {
                    wanted.push((name, path));
                }
            }
        });
        wanted
    }

    /// Notes what the file of a variable holds.
    pub fn file_of(&mut self, name: String, value: Option<String>) {
        self.files.insert(name, value);
    }

    /// Scalars that could not be completed, and the names of the variables.
    pub fn unset(&self) -> &[(Span, Vec<String>)] {
        &self.unset
    }

    /// The places of all scalars that could not be completed.
    pub fn incomplete(&self) -> Vec<Span> {
        self.unset.iter().map(|(span, _)| *span).chain(self.complained.iter().copied()).collect()
    }

    /// The places of all scalars with a variable's value in them, and the variable's name.
    pub fn filled(&self) -> Vec<(Span, String)> {
        self.filled.clone()
    }

    /// The values that were put in.
    pub fn into_used(self) -> Values {
        self.used
    }

    /// An empty variable counts as not set, as `:-` has it in a shell: compose files set variables to nothing
    /// when the host has none.
    fn environment(&self, name: &str) -> Option<String> {
        let value = (self.env)(name)?;
        let value = value.trim();
        if value.is_empty() { None } else { Some(value.to_owned()) }
    }

    fn found(&self, name: &str) -> Option<String> {
        let file = || self.files.get(name).cloned().flatten().filter(|value| !value.is_empty());
        let secret = || self.secrets.get(&canonical(name)).filter(|value| !value.is_empty()).cloned();
        self.environment(name).or_else(file).or_else(secret)
    }

    /// The value of a variable at `span`: what it is, or what it was if that is lost.
    fn value(&mut self, name: &str, span: Span, diags: &mut Diagnostics) -> Option<String> {
        let found = self.found(name);
        let last = self.last.get(name);
        let value = match (&found, last) {
            (None, Some(last)) if self.misses_a_file || !self.revocable.contains(&span) => {
                self.keep(name, "is no longer set", span, diags);
                Some(last.clone())
            }
            (Some(now), Some(last)) if self.is_torn(name, now, last) => {
                self.keep(name, "is half written, in a last line without an end", span, diags);
                Some(last.clone())
            }
            _ => found,
        };
        if let Some(value) = &value {
            self.used.insert(name.to_owned(), value.clone());
        }
        value
    }

    fn is_torn(&self, name: &str, now: &str, last: &str) -> bool {
        now.len() < last.len() && last.starts_with(now) && self.torn.contains(&canonical(name))
    }

    fn keep(&mut self, name: &str, why: &str, span: Span, diags: &mut Diagnostics) {
        if self.kept.iter().any(|known| known == name) {
            return;
        }
        self.kept.push(name.to_owned());
        let message = format!("the variable `{name}` {why}, so it keeps the value that it had");
        let diagnostic = Diagnostic::warning("kept-value", message).at(span).label("used here");
        diags.push(diagnostic.help("it is forgotten when the router is started again"));
    }

    /// Completes all scalars under `node`. Values that were used are hidden in `sources`, so that no
    /// diagnostic shows them.
    pub fn apply(&mut self, node: &mut Node, sources: &mut Sources, diags: &mut Diagnostics) {
        match &mut node.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| self.apply(item, sources, diags)),
            Kind::Map(entries) => {
                entries.iter_mut().for_each(|(_, value)| self.apply(value, sources, diags));
            }
            // `${{NAME}}` is another program's.
            Kind::String(text)
                if text.contains("${")
                    && !(self.strict.contains(&node.span) && variables::foreign(text).is_some()) =>
            {
                let text = std::mem::take(text);
                node.kind = self.scalar(&text, node.span, sources, diags);
            }
            Kind::String(text) => {
                let name = variables::foreign(text);
                let is_strict = self.strict.contains(&node.span);
                let is_bare = name.is_some() || variables::is_bare(text);
                if is_strict && variables::is_placeholder(name.unwrap_or(text)) {
                    let message = "this is what an example has where something of your own belongs";
                    let diagnostic = Diagnostic::warning("placeholder", message).at(node.span);
                    let help = "write `${NAME}`, and set the variable NAME, or write the line `NAME=...` into a file of `secrets`";
                    diags.push(diagnostic.label("taken as it stands").help(help));
                } else if is_bare && is_strict {
                    let message = "this is taken as it stands, and is the value of no variable";
                    let diagnostic = Diagnostic::warning("no-variable", message).at(node.span);
                    let diagnostic = diagnostic.label("a variable is written `${NAME}`");
                    diags.push(match name {
                        Some(name) => diagnostic.help(format!("write `${{{name}}}`")),
                        None => diagnostic.help("write `${` before the name and `}` behind it"),
                    });
                }
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
                let diagnostic =
                    Diagnostic::error("bad-variable", "this is not a variable").at(place).label(reason);
                let diagnostic = match text.get(at..).and_then(variables::meant) {
                    Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                    None => diagnostic,
                };
                diags.push(diagnostic.help("write `$${` for the text `${`"));
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
                Piece::Variable(variable) => match (self.value(variable.name, span, diags), variable.unset) {
                    (Some(value), _) => {
                        sources.hide(&value, &format!("${{{}}}", variable.name));
                        if self.strict.contains(&span)
                            && let Some(reason) = stray(&value)
                        {
                            let message = format!("the value of `{}` {reason}", variable.name);
                            let diagnostic = Diagnostic::error("bad-value", message).at(span);
                            let help = "set it to the bare value, on one line; it is not shown here";
                            diags.push(diagnostic.label("put in here").help(help));
                            self.complained.push(span);
                            return Kind::String(format!("{}${{{}}}", variables::UNSET, variable.name));
                        }
                        out.push_str(&value);
                        self.filled.push((span, variable.name.to_owned()));
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
            let mark = self.strict.contains(&span).then_some(variables::UNSET).map(String::from);
            let names = unset.iter().map(|name| format!("${{{name}}}"));
            let names: String = mark.into_iter().chain(names).collect();
            if !self.unset.iter().any(|(place, _)| *place == span) {
                self.unset.push((span, unset));
            }
            return Kind::String(names);
        }
        if is_plain(sources.slice(span)) { typed(out) } else { Kind::String(out) }
    }
}

/// What is wrong with the value of a key or an address.
fn stray(value: &str) -> Option<&'static str> {
    let is_quoted = |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    if value.contains(['\n', '\r']) {
        Some("has a line break in it")
    } else if value.contains(|c: char| c.is_control()) {
        Some("has a control character in it")
    } else if is_quoted('"') || is_quoted('\'') {
        Some("has quotes around it, which belong to the value where no shell takes them away")
    } else {
        None
    }
}

/// Calls `see` with each text under `node`.
fn each_text(node: &Node, see: &mut impl FnMut(&str)) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| each_text(item, see)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| each_text(value, see)),
        Kind::String(text) if text.contains("${") => see(text),
        _ => {}
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
        let none = Values::new();
        let mut substitution = Substitution::new(&env, &none);
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
