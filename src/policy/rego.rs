//! Rego as its authors write it: our own reading of the text, by OPA 1.20's grammar, with the place of everything.
//!
//! regorus stays the evaluator. This reading is what comes before it: newer syntax is lowered to what regorus knows,
//! the static gate and `explain` look at the author's own text, annotations are attached to rules. It knows nothing of
//! regorus.
#![expect(dead_code, reason = "the lowering, the gate and explain come to use it one after the other")]
#![expect(unused_imports, reason = "the lowering, the gate and explain come to use it one after the other")]

pub(super) mod ast;
mod lexer;
pub(super) mod metadata;
mod parser;

pub(super) use parser::{SyntaxError, parse, parse_query};

#[cfg(test)]
mod tests;
