//! JSON text to a domain value: no digit lost, no duplicate name taken.

mod number;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Number, Object, Value};

/// How `serde_json`, built with `arbitrary_precision`, hands over a number that is no 64-bit integer: as an object with
/// this one name, which it lends.
const NUMBER: &str = "$serde_json::private::Number";

/// Parses one JSON text; at most 128 containers inside each other. The fault is in words, with line and column.
pub fn parse(json: &[u8]) -> Result<Value, String> {
    // A text that has the name could pass an object off as a number. Written with escapes it is not lent, see [`Name`].
    let mut dollars = json.iter().enumerate().filter(|(_, byte)| **byte == b'$');
    if dollars.any(|(at, _)| json.get(at..).is_some_and(|rest| rest.starts_with(NUMBER.as_bytes()))) {
        return Err(format!("is not usable JSON: it must not have `{NUMBER}` in it"));
    }
    serde_json::from_slice::<Json>(json).map(|json| json.0).map_err(|error| format!("is not usable JSON: {error}"))
}

/// The number that a text in JSON's grammar is, exactly; the fault is in words.
pub(super) fn number(text: &str) -> Result<Number, String> {
    number::parse(text)
}

struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Json)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    // No `visit_f64`: a fraction comes as text, as `NUMBER` says, or it is refused rather than rounded.

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(Number::Int(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(i64::try_from(number).map_or(Number::UInt(number), Number::Int)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Json(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some(name) = members.next_key::<Name>()? {
            let name = match name {
                Name::Of(name) => name,
                Name::OfNumber => {
                    let digits = members.next_value::<String>()?;
                    return number::parse(&digits).map(Value::Number).map_err(A::Error::custom);
                }
            };
            // Two readers of a text with one name twice may each take another value; RFC 8259 §4 leaves it open.
            if object.get(&name).is_some() {
                return Err(A::Error::custom(format!("the name `{name}` stands twice in one object")));
            }
            let Json(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// A member's name, or `serde_json`'s sign for a number.
enum Name {
    Of(String),
    OfNumber,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name, E> {
        Ok(if text == NUMBER { Name::OfNumber } else { Name::Of(text.to_owned()) })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
        Ok(Name::Of(text.to_owned()))
    }
}
