//! `json.match_schema` and `json.verify_schema`: JSON Schema (drafts 4, 6 and 7) as OPA has it, which is as
//! `gojsonschema` has it, down to its texts and to the order of its errors.
//!
//! Own code and not the `jsonschema` crate, because the texts hang on what `gojsonschema` reads in a schema, in which
//! order it checks, and which of several alternatives it finds the nearest; and because a schema may come from the input:
//! nothing here reads a file or asks the network. Where Go's order is that of a map, this is sorted.

mod check;
mod compile;
mod format;
mod keywords;
mod number;
mod reference;
#[cfg(test)]
mod tests;

use regorus::Value as Rego;
use serde_json::Value as Json;

use super::{
    Failure, Function,
    bounds::unsafe_number,
    operand::{Answer, any, array_of, failed, object_of, string},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "json.match_schema", arity: 2, call: match_schema },
    Function { name: "json.verify_schema", arity: 1, call: verify_schema },
];

/// A document or a schema; a string must be JSON.
fn read(value: &Rego) -> Result<Json, Failure> {
    let text = match value {
        Rego::Object(_) | Rego::Array(_) => super::json::compact(value)?,
        Rego::String(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => text.to_string(),
        Rego::String(_) => return failed("invalid JSON string"),
        _ => return failed("wrong type, expected string or object"),
    };
    if let Some(fault) = unsafe_number(&text, true) {
        return Err(Failure::Spent(fault.to_owned()));
    }
    // It is JSON already: what fails is that it nests too deep.
    serde_json::from_str(&text).map_err(|error| Failure::Spent(error.to_string()))
}

fn match_schema(arguments: &[Rego]) -> Answer {
    let (document, schema) = (read(any(arguments, 0))?, read(any(arguments, 1))?);
    let faults = check::faults(&compile::compile(schema)?, &document)?;
    let told = |fault: &check::Fault| {
        object_of([
            (string("desc"), string(&fault.text)),
            (string("error"), string(format!("{}: {}", fault.field(), fault.text))),
            (string("field"), string(fault.field())),
            (string("type"), string(fault.kind)),
        ])
    };
    Ok(array_of([Rego::from(faults.is_empty()), array_of(faults.iter().map(told))]))
}

fn verify_schema(arguments: &[Rego]) -> Answer {
    match read(any(arguments, 0)).and_then(compile::compile) {
        Ok(_) => Ok(array_of([Rego::from(true), Rego::Null])),
        Err(Failure::Operand(fault)) => Ok(array_of([Rego::from(false), string(format!("jsonschema: {fault}"))])),
        Err(failure) => Err(failure),
    }
}
