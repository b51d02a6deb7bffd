//! The values of a template, as Go has them after decoding JSON.

use std::{collections::BTreeMap, rc::Rc};

use regorus::Value as Rego;

use super::format;

/// A value. Texts are bytes, because a template can cut them anywhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// What is not there: a missing key.
    Missing,
    /// A null in the data; its fields are an error, where those of what is missing are missing.
    Null,
    Bool(bool),
    Int(i64),
    /// A byte of a text.
    Byte(u8),
    Float(f64),
    Text(Rc<[u8]>),
    /// A number of the data: Go's `json.Number`, which is a text of its own type.
    Number(Rc<[u8]>),
    List(Rc<[Value]>),
    Map(Rc<BTreeMap<Vec<u8>, Value>>),
}

impl Value {
    pub(super) fn text(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Text(Rc::from(bytes.into()))
    }

    /// A value of Rego. OPA writes it as JSON and reads that; what JSON does not have (sets, keys that are no strings,
    /// characters that Go's quoting escapes in other ways than JSON) fails.
    pub(super) fn of(rego: &Rego) -> Option<Self> {
        Some(match rego {
            Rego::Null => Self::Null,
            Rego::Bool(truth) => Self::Bool(*truth),
            Rego::Number(_) => Self::Number(Rc::from(rego.to_string().into_bytes())),
            Rego::String(text) => Self::text(readable(text)?),
            Rego::Array(items) => Self::List(items.iter().map(Self::of).collect::<Option<_>>()?),
            Rego::Object(members) => {
                let member = |(name, item): (&Rego, &Rego)| match name {
                    Rego::String(name) => Some((readable(name)?.to_vec(), Self::of(item)?)),
                    _ => None,
                };
                Self::Map(Rc::new(members.iter().map(member).collect::<Option<_>>()?))
            }
            _ => return None,
        })
    }

    /// Null as what a variable or an argument holds: nothing.
    pub(super) fn settled(self) -> Self {
        if self == Self::Null { Self::Missing } else { self }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Null => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Byte(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) | Self::Number(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(members) => !members.is_empty(),
        }
    }

    /// Go's name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Missing | Self::Null => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Byte(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Number(_) => "json.Number",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
        }
    }
}

/// The bytes of a text that Go's quoting writes as JSON would.
fn readable(text: &str) -> Option<&[u8]> {
    let escaped_otherwise = |character: char| match character {
        '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => false,
        '\0'..' ' | '\u{7f}' => true,
        _ => character > '\u{ffff}' && !format::is_printable(character),
    };
    (!text.chars().any(escaped_otherwise)).then_some(text.as_bytes())
}
