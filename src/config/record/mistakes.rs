//! What is said of a value of the wrong type and of an unknown key.

use super::head_span;
use crate::text::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::text::yaml::{self, Key, Node};

/// Reports that a node has the wrong type; `wanted` is a clause such as "a provider is a mapping".
pub fn wrong_type(node: &Node, wanted: &str, diags: &mut Diagnostics) {
    let is_glued = node.as_str().is_some_and(yaml::is_glued);
    let help = is_glued.then(|| "a colon needs a space after it, or YAML reads a text".to_owned());
    wrong_type_but(node, wanted, help, diags);
}

/// The same, with what to write instead.
pub fn wrong_type_but(node: &Node, wanted: &str, help: Option<String>, diags: &mut Diagnostics) {
    let span = if node.as_list().is_some() { node.span } else { head_span(node) };
    let label = format!("this is {}", node.type_name());
    let diagnostic = Diagnostic::error("wrong-type", wanted).at(span).label(label);
    diags.push(help.into_iter().fold(diagnostic, Diagnostic::help));
}

/// A key that `what` does not have, with what may have been meant.
pub fn unknown_key(key: &Key, what: &str, known: impl IntoIterator<Item = &'static str>) -> Diagnostic {
    let known: Vec<&'static str> = known.into_iter().collect();
    let diagnostic = Diagnostic::error("unknown-key", format!("{what} has no key `{}`", key.text))
        .at(key.span)
        .label("unknown key");
    match did_you_mean(&key.text, known.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic.help(format!("the keys are: {}", known.join(", "))),
    }
}
