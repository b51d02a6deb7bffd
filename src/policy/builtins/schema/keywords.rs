//! The faults of a schema, in `gojsonschema`'s words, and the keywords that are a plain value.

use bigdecimal::{BigDecimal, Signed as _};
use serde_json::{Map, Value as Json};

use super::{
    super::{Failure, operand::failed},
    number::exact,
};

/// The members of a schema.
pub(super) type Members = Map<String, Json>;

/// The limits of numbers.
#[derive(Default)]
pub(super) struct Limits {
    pub(super) multiple_of: Option<BigDecimal>,
    pub(super) minimum: Option<BigDecimal>,
    pub(super) above: Option<BigDecimal>,
    pub(super) maximum: Option<BigDecimal>,
    pub(super) below: Option<BigDecimal>,
}

/// A version of JSON Schema; without one, most of all of them is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Any,
}

impl Draft {
    /// The one that `$schema` names.
    pub(super) fn of(schema: &Json) -> Result<Self, Failure> {
        let members = match schema {
            Json::Bool(_) => return Ok(Self::Any),
            Json::Object(members) => members,
            _ => return failed("schema is invalid"),
        };
        let Some(name) = members.get("$schema") else { return Ok(Self::Any) };
        let Json::String(name) = name else { return failed("$schema must be of type string") };
        Ok(match name.strip_suffix('#').unwrap_or(name) {
            "http://json-schema.org/draft-04/schema" => Self::Four,
            "http://json-schema.org/draft-06/schema" => Self::Six,
            "http://json-schema.org/draft-07/schema" => Self::Seven,
            _ => Self::Any,
        })
    }
}

pub(super) fn invalid_type<T>(expected: &str, given: &str) -> Result<T, Failure> {
    failed(format!("Invalid type. Expected: {expected}, given: {given}"))
}

pub(super) fn text<'a>(members: &'a Members, key: &str) -> Result<Option<&'a str>, Failure> {
    match members.get(key) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => invalid_type("string", key),
    }
}

pub(super) fn array<'a>(members: &'a Members, key: &str) -> Result<Option<&'a [Json]>, Failure> {
    match members.get(key) {
        None => Ok(None),
        Some(Json::Array(items)) => Ok(Some(items)),
        Some(_) => failed(format!("{key} must be of an array")),
    }
}

/// A count; what has a point or an exponent is none.
fn count(members: &Members, key: &str) -> Result<Option<usize>, Failure> {
    let Some(value) = members.get(key) else { return Ok(None) };
    let number = match value {
        Json::Number(number) => number.to_string().parse::<i64>().ok(),
        _ => None,
    };
    match number {
        None => failed(format!("{key} must be of an integer")),
        Some(number) => match usize::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => failed(format!("{key} must be greater than or equal to 0")),
        },
    }
}

/// The least and the most; with `ordered`, the one must not be above the other.
pub(super) fn counts(members: &Members, keys: [&str; 2], ordered: bool) -> Result<[Option<usize>; 2], Failure> {
    let [least, most] = keys;
    let counts = [count(members, least)?, count(members, most)?];
    match counts {
        [Some(low), Some(high)] if ordered && low > high => failed(format!("{least} cannot be greater than {most}")),
        counts => Ok(counts),
    }
}

pub(super) fn limits(members: &Members, draft: Draft) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    if let Some(value) = members.get("multipleOf") {
        let Some(number) = exact(value) else { return invalid_type("Number", "multipleOf") };
        if !number.is_positive() {
            return failed("multipleOf must be strictly greater than 0");
        }
        limits.multiple_of = Some(number);
    }
    [limits.minimum, limits.above] = limit(members, draft, ["minimum", "exclusiveMinimum"])?;
    [limits.maximum, limits.below] = limit(members, draft, ["maximum", "exclusiveMaximum"])?;
    Ok(limits)
}

/// The limit that is allowed itself, and the one that is not.
fn limit(members: &Members, draft: Draft, keys: [&str; 2]) -> Result<[Option<BigDecimal>; 2], Failure> {
    let [key, exclusive] = keys;
    let limit = match members.get(key).map(exact) {
        Some(None) => return failed(format!("{key} must be of a Number")),
        limit => limit.flatten(),
    };
    let Some(value) = members.get(exclusive) else { return Ok([limit, None]) };
    match (value, draft) {
        (Json::Bool(_), Draft::Four | Draft::Any) if limit.is_none() => {
            failed(format!("{exclusive} cannot be used without {key}"))
        }
        (Json::Bool(true), Draft::Four | Draft::Any) => Ok([None, limit]),
        (Json::Bool(false), Draft::Four | Draft::Any) => Ok([limit, None]),
        (Json::Number(_), Draft::Six | Draft::Seven | Draft::Any) => Ok([limit, exact(value)]),
        (_, Draft::Four) => invalid_type("boolean", exclusive),
        (_, Draft::Any) => invalid_type("boolean/number", exclusive),
        _ => invalid_type("number", exclusive),
    }
}
