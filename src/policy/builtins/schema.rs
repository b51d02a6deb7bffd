//! `json.match_schema` and `json.verify_schema`: regorus' own, with answers in OPA's form.
//!
//! The texts of the errors are regorus', not `gojsonschema`'s, and each is said of the whole document.

use regorus::Value as Rego;

use super::{
    Failure, Function,
    operand::{Answer, any, array_of, failed, object_of, string},
    regorus_own,
};

pub(super) const ALL: &[Function] = &[
    Function { name: "json.match_schema", arity: 2, call: match_schema },
    Function { name: "json.verify_schema", arity: 1, call: verify_schema },
];

const WRONG_TYPE: &str = "wrong type, expected string or object";

/// Whether a value can be a document or a schema; a string must be JSON.
fn readable(value: &Rego) -> Result<(), &'static str> {
    match value {
        Rego::Object(_) | Rego::Array(_) => Ok(()),
        Rego::String(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => Ok(()),
        Rego::String(_) => Err("invalid JSON string"),
        _ => Err(WRONG_TYPE),
    }
}

/// regorus' answer: whether it holds, and what is wrong.
fn answer(name: &str, arguments: &[Rego]) -> Result<(bool, Rego), Failure> {
    match regorus_own(name, arguments)? {
        Rego::Array(answer) => match answer.as_slice() {
            [Rego::Bool(holds), fault] => Ok((*holds, fault.clone())),
            _ => failed("no answer"),
        },
        _ => failed("no answer"),
    }
}

fn match_schema(arguments: &[Rego]) -> Answer {
    for operand in [any(arguments, 0), any(arguments, 1)] {
        readable(operand).map_err(|fault| Failure::Operand(fault.to_owned()))?;
    }
    // A schema that is none fails; a document that does not match it is told why.
    if !answer("json.verify_schema", arguments.get(1..).unwrap_or_default())?.0 {
        return failed("the schema is not valid");
    }
    let (holds, fault) = answer("json.match_schema", arguments)?;
    let Rego::String(text) = &fault else { return Ok(array_of([Rego::from(holds), Rego::new_array()])) };
    let root = "(root)";
    let error = object_of([
        (string("desc"), fault.clone()),
        (string("error"), string(format!("{root}: {text}"))),
        (string("field"), string(root)),
        (string("type"), string("invalid")),
    ]);
    Ok(array_of([Rego::from(holds), array_of([error])]))
}

fn verify_schema(arguments: &[Rego]) -> Answer {
    let (holds, fault) = match readable(any(arguments, 0)) {
        Ok(()) => answer("json.verify_schema", arguments)?,
        Err(fault) => (false, string(fault)),
    };
    let fault = match &fault {
        Rego::String(text) => string(format!("jsonschema: {text}")),
        _ => Rego::Null,
    };
    Ok(array_of([Rego::from(holds), fault]))
}
