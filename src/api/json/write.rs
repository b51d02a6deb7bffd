//! Domain values to JSON, no digit lost.

use serde_json::{Map, Value as Json};

use crate::decision::{Number, Object, Value};

/// A value as JSON.
#[must_use]
pub fn value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(number) => self::number(number),
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => items.iter().map(self::value).collect(),
        Value::Object(members) => Json::Object(object(members)),
    }
}

/// An object's members as JSON.
#[must_use]
pub fn object(object: &Object) -> Map<String, Json> {
    object.iter().map(|(name, member)| (name.to_owned(), value(member))).collect()
}

fn number(number: &Number) -> Json {
    match number {
        Number::Int(number) => Json::from(*number),
        Number::UInt(number) => Json::from(*number),
        Number::Float(number) => Json::from(*number),
        // What is a number in JSON's grammar, which every decimal is, stays as it is written.
        Number::Decimal(digits) => digits.parse().map_or(Json::Null, Json::Number),
    }
}
