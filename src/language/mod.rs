//! The mapping language: templates, conditions, patches and stream programs, from (template, input) to bytes.
//!
//! Everything here is pure: what a template may name it gets in an [`Env`], what it makes it writes to a buffer.
//! The vocabulary stands in tables: [`directives`], [`matchers`], and what needs a line only in [`words`].

pub mod compile;
pub mod condition;
pub mod directives;
pub mod matchers;
pub mod needs;
pub mod patch;
pub mod scope;
pub mod stream;
pub mod template;
pub mod tokens;
pub mod value;
pub mod words;

pub use compile::Compiler;
pub use condition::{Condition, Facts, Test};
pub use needs::Guarded;
pub use patch::{Patch, splice};
pub use scope::{Env, Scope, Slot};
pub use stream::{Framing, StreamMachine, StreamProgram};
pub use template::{Fail, Template};
pub use value::{Num, Val};
