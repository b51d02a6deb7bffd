//! Arguments as the types that a built-in takes, and the errors of those that have another, in OPA's words.

use std::{borrow::Cow, collections::BTreeSet};

use num_bigint::BigInt;
use regorus::{
    Value as Rego,
    value::{Array, Object, Set},
};

use super::{super::order::sorted, Failure};

/// What a built-in gives.
pub(super) type Answer = Result<Rego, Failure>;

/// It failed on these operands.
pub(super) fn failed<T>(fault: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Operand(fault.into()))
}

/// The operand at `at`, counted from 0, is not what is expected.
pub(super) fn mismatch<T>(arguments: &[Rego], at: usize, expected: &str) -> Result<T, Failure> {
    let got = arguments.get(at).map_or("undefined", type_name);
    let must = if expected.contains(',') { format!("one of {{{expected}}}") } else { expected.to_owned() };
    Err(Failure::Type(format!("operand {} must be {must} but got {got}", at + 1)))
}

pub(super) fn any(arguments: &[Rego], at: usize) -> &Rego {
    arguments.get(at).unwrap_or(&Rego::Undefined)
}

pub(super) fn text(arguments: &[Rego], at: usize) -> Result<&str, Failure> {
    match any(arguments, at) {
        Rego::String(text) => Ok(text),
        _ => mismatch(arguments, at, "string"),
    }
}

pub(super) fn array(arguments: &[Rego], at: usize) -> Result<&Array, Failure> {
    match any(arguments, at) {
        Rego::Array(items) => Ok(items),
        _ => mismatch(arguments, at, "array"),
    }
}

pub(super) fn object(arguments: &[Rego], at: usize) -> Result<&Object, Failure> {
    match any(arguments, at) {
        Rego::Object(members) => Ok(members),
        _ => mismatch(arguments, at, "object"),
    }
}

pub(super) fn set(arguments: &[Rego], at: usize) -> Result<&Set, Failure> {
    match any(arguments, at) {
        Rego::Set(items) => Ok(items),
        _ => mismatch(arguments, at, "set"),
    }
}

/// The items of an array, or of a set in its order.
pub(super) fn items(arguments: &[Rego], at: usize) -> Result<Cow<'_, [Rego]>, Failure> {
    match any(arguments, at) {
        Rego::Array(items) => Ok(Cow::Borrowed(items.as_slice())),
        Rego::Set(items) => Ok(Cow::Owned(sorted(items).into_iter().cloned().collect())),
        _ => mismatch(arguments, at, "set, array"),
    }
}

/// The operand as it is, if it is a number.
pub(super) fn number(arguments: &[Rego], at: usize) -> Result<&Rego, Failure> {
    match any(arguments, at) {
        number @ Rego::Number(_) => Ok(number),
        _ => mismatch(arguments, at, "number"),
    }
}

/// A whole number of 64 bits.
pub(super) fn int(arguments: &[Rego], at: usize) -> Result<i64, Failure> {
    let number = number(arguments, at)?;
    number.as_i64().map_err(|_| not_whole(at))
}

/// A whole number of any size.
pub(super) fn big(arguments: &[Rego], at: usize) -> Result<BigInt, Failure> {
    match any(arguments, at) {
        number @ Rego::Number(_) => whole(number).ok_or_else(|| not_whole(at)),
        _ => mismatch(arguments, at, "integer"),
    }
}

/// The integer that a number is.
pub(super) fn whole(number: &Rego) -> Option<BigInt> {
    let Rego::Number(number) = number else { return None };
    if let Some(number) = number.as_i128() {
        return Some(BigInt::from(number));
    }
    number.to_big().ok().map(|big| BigInt::clone(&big)).or_else(|| {
        // A double beyond 2^53 that is whole, which `to_big` refuses.
        let double = number.as_f64().filter(|double| double.is_finite() && double.fract() == 0.0)?;
        num_traits::FromPrimitive::from_f64(double)
    })
}

pub(super) fn from_big(number: &BigInt) -> Rego {
    match i128::try_from(number) {
        Ok(number) => Rego::from(number),
        Err(_) => Rego::from_numeric_string(&number.to_string()).unwrap_or(Rego::Undefined),
    }
}

pub(super) fn string(text: impl AsRef<str>) -> Rego {
    Rego::from(text.as_ref())
}

pub(super) fn array_of(items: impl IntoIterator<Item = Rego>) -> Rego {
    Rego::from(items.into_iter().collect::<Vec<_>>())
}

pub(super) fn set_of(items: impl IntoIterator<Item = Rego>) -> Rego {
    Rego::from(items.into_iter().collect::<BTreeSet<_>>())
}

pub(super) fn object_of(members: impl IntoIterator<Item = (Rego, Rego)>) -> Rego {
    let mut object = Object::new();
    for (name, value) in members {
        object.insert(name, value);
    }
    object.into_value()
}

/// Bytes as text. OPA's texts may have bytes that are not UTF-8, which it tells apart; ours can't, and nothing else is the
/// same as them, so that there is no answer then.
pub(super) fn exact_text(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| Failure::Spent("the text would have bytes that are not UTF-8".to_owned()))
}

/// Bytes as text, each that is not UTF-8 as U+FFFD: what Go's JSON makes of them.
pub(super) fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

pub(super) fn type_name(value: &Rego) -> &'static str {
    match value {
        Rego::Null => "null",
        Rego::Bool(_) => "boolean",
        Rego::Number(_) => "number",
        Rego::String(_) => "string",
        Rego::Array(_) => "array",
        Rego::Set(_) => "set",
        Rego::Object(_) => "object",
        Rego::Undefined => "undefined",
    }
}

fn not_whole(at: usize) -> Failure {
    Failure::Type(format!("operand {} must be integer number but got floating-point number", at + 1))
}
