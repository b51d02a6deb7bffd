//! `strings.render_template`: Go's `text/template`, which OPA gives the members of an object.
//!
//! An interpreter of its own, as no crate for Go's templates is kept or faithful. What it does is what Go 1.26 does with
//! data that was read as JSON; its work, its output and how deep it nests are bounded. Imaginary numbers, which Go's
//! templates have, are errors.

mod exec;
mod format;
mod functions;
mod lexer;
mod number;
mod parser;
#[cfg(test)]
mod tests;
mod value;

use regorus::Value as Rego;

use super::{Failure, Function, operand::exact_text};

pub(super) const ALL: &[Function] = &[Function { name: "strings.render_template", arity: 2, call: render }];

/// How long a template is at most.
const MAX_TEMPLATE: usize = 1 << 20;
/// How deep its data nests at most.
const MAX_DATA_DEPTH: usize = 400;

/// Why there is no text.
#[derive(Debug)]
enum Fault {
    /// The template is wrong, or can't do that to this data.
    Failed(String),
    /// It is too much.
    Bound(String),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Failed(cause) => Self::Operand(format!("template: {cause}")),
            Fault::Bound(cause) => Self::Spent(cause),
        }
    }
}

fn render(arguments: &[Rego]) -> Result<Rego, Failure> {
    let Some(Rego::String(template)) = arguments.first() else {
        return Err(Failure::Type("operand 1 must be string".to_owned()));
    };
    let Some(data @ Rego::Object(_)) = arguments.get(1) else {
        return Err(Failure::Type("operand 2 must be object".to_owned()));
    };
    if template.len() > MAX_TEMPLATE {
        return Err(Failure::Spent(format!("the template has more than {MAX_TEMPLATE} bytes")));
    }
    if is_too_deep(data, MAX_DATA_DEPTH) {
        return Err(Failure::Spent(format!("the data of the template nests more than {MAX_DATA_DEPTH} deep")));
    }
    let data = value::Value::of(data).ok_or_else(|| Failure::Operand("the data is no JSON".to_owned()))?;
    let templates = parser::parse(template)?;
    let text = exec::run(&templates, &data)?;
    let text = exact_text(text)?.replace("<no value>", "<undefined>");
    Ok(Rego::from(text))
}

fn is_too_deep(value: &Rego, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    match value {
        Rego::Array(items) => items.iter().any(|item| is_too_deep(item, depth)),
        Rego::Object(members) => members.values().any(|item| is_too_deep(item, depth)),
        _ => false,
    }
}
