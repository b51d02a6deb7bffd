//! Operands as OPA takes them, and what they may weigh.

use regorus::Value as Rego;

use super::super::{Failure, operand::type_name};

/// The most bytes of a token, a key or a certificate. Real ones have some thousands; to work on what is longer takes
/// time that nothing looks at.
const MAX_TEXT: usize = 1 << 20;

/// The argument at `at`, which is a string.
pub(in super::super) fn string(arguments: &[Rego], at: usize) -> Result<&str, Failure> {
    match arguments.get(at) {
        Some(Rego::String(text)) => Ok(text),
        other => Err(mismatch(at, "string", other)),
    }
}

/// The argument at `at`, which is a string that may be parsed: there is a bound on its length.
pub(in super::super) fn document(arguments: &[Rego], at: usize) -> Result<&str, Failure> {
    let text = string(arguments, at)?;
    if text.len() > MAX_TEXT {
        return Err(Failure::Spent(format!("operand {} has more than {MAX_TEXT} bytes", at + 1)));
    }
    Ok(text)
}

/// The argument at `at`, which is an object.
pub(in super::super) fn object(arguments: &[Rego], at: usize) -> Result<&regorus::value::Object, Failure> {
    match arguments.get(at) {
        Some(Rego::Object(object)) => Ok(object),
        other => Err(mismatch(at, "object", other)),
    }
}

/// The failure of an argument that has another type.
pub(in super::super) fn mismatch(at: usize, wanted: &str, got: Option<&Rego>) -> Failure {
    Failure::Type(format!("operand {} must be {wanted} but got {}", at + 1, got.map_or("nothing", type_name)))
}

/// The failure of a built-in on operands of the right types. `text` must not tell what the operands hold.
pub(in super::super) fn bad(text: impl Into<String>) -> Failure {
    Failure::Operand(text.into())
}

/// The member of an object.
pub(in super::super) fn member<'a>(object: &'a regorus::value::Object, name: &str) -> Option<&'a Rego> {
    object.get(&Rego::from(name))
}
