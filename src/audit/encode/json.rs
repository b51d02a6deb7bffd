//! Values as JSON.

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};

use crate::decision::{Number, Value};

/// A value as JSON, no digit lost.
pub(super) struct Json<'v>(pub(super) &'v Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => to.serialize_unit(),
            Value::Bool(truth) => to.serialize_bool(*truth),
            Value::Number(Number::Int(number)) => to.serialize_i64(*number),
            Value::Number(Number::UInt(number)) => to.serialize_u64(*number),
            Value::Number(Number::Float(number)) => to.serialize_f64(*number),
            Value::Number(Number::Decimal(digits)) => {
                let number: serde_json::Number = digits.parse().map_err(S::Error::custom)?;
                number.serialize(to)
            }
            Value::String(text) => to.serialize_str(text),
            Value::Array(items) => to.collect_seq(items.iter().map(Json)),
            Value::Object(object) => {
                let mut map = to.serialize_map(Some(object.len()))?;
                for (name, value) in object.iter() {
                    map.serialize_entry(name, &Json(value))?;
                }
                map.end()
            }
        }
    }
}
