//! One node of the rules to one piece of the language.

use crate::language::{Compiler, Condition, Patch, Scope, Template};
use crate::text::diagnostic::Diagnostics;
use crate::text::yaml::Node;

/// A template that sees the names of `scope`.
pub fn template(node: &Node, scope: &Scope, diags: &mut Diagnostics) -> Option<Template> {
    Compiler::new(scope, diags).template(node)
}

/// A condition that sees the names of `scope`.
pub fn condition(node: &Node, scope: &Scope, diags: &mut Diagnostics) -> Option<Condition> {
    Compiler::new(scope, diags).condition(node)
}

/// A patch that sees the names of `scope`.
pub fn patch(node: &Node, scope: &Scope, diags: &mut Diagnostics) -> Option<Patch> {
    Compiler::new(scope, diags).patch(node)
}
