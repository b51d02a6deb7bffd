//! `rego.parse_module`: a module's text as the JSON of its tree. The metadata functions are constants after lowering.

use regorus::Value as Rego;

use super::{Failure, Function, bounds::unsafe_number};
use crate::policy::rego::{json, parser};

/// The family.
pub(super) const ALL: &[Function] = &[Function { name: "rego.parse_module", arity: 2, call: parse_module }];

/// The most bytes of a text; its tree has many times as many.
const MAX_BYTES: usize = 1 << 20;

fn parse_module(operands: &[Rego]) -> Result<Rego, Failure> {
    let [Rego::String(file), Rego::String(text)] = operands else {
        return Err(Failure::Type("operands must be strings".to_owned()));
    };
    if text.len() > MAX_BYTES {
        return Err(Failure::Spent(format!("a module has more than {MAX_BYTES} bytes")));
    }
    // Always v1, and without annotations, as OPA has it.
    let module = parser::parse_bare(text, true).map_err(|faults| Failure::Operand(said(file, text, &faults)))?;
    let tree = json::module(&module, file, text);
    let tree = tree.ok_or_else(|| Failure::Operand("a number of the module is none in JSON".to_owned()))?;
    if let Some(fault) = unsafe_number(&tree.to_string(), true) {
        return Err(Failure::Spent(format!("in the module, {fault}")));
    }
    Ok(Rego::from(tree))
}

fn said(file: &str, text: &str, faults: &[parser::SyntaxError]) -> String {
    let Some(first) = faults.first() else { return "rego_parse_error".to_owned() };
    let before = text.get(..first.span.start as usize).unwrap_or_default();
    format!("{file}:{}: rego_parse_error: {}", before.matches('\n').count() + 1, first.cause)
}
