//! Rego as its authors write it: our own reading of the text, by OPA 1.20's grammar, with the place of everything.
//!
//! regorus stays the evaluator. This reading is what comes before it: newer syntax is lowered to what regorus knows,
//! the static gate and `explain` look at the author's own text, annotations are attached to rules. It knows nothing of
//! regorus.

pub(super) mod ast;
pub(super) mod edit;
pub(super) mod json;
mod lexer;
pub(super) mod lower;
pub(super) mod metadata;
pub(super) mod parser;
pub(super) mod visit;

pub(super) use parser::SyntaxError;

#[cfg(test)]
mod tests;
