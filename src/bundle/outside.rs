//! Data outside of what a bundle owns, found without keeping the data.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::{Document, Format, roots::Roots};
use crate::decision::{Value, yaml};

/// The most brackets that YAML may have open; no document nests so deep.
const MAX_OPEN: usize = 1_000;

/// What `serde_json` gives for a number whose text is kept: an object with this name.
const NUMBER: &str = "$serde_json::private::Number";

/// The first path in a document that its bundle does not own, with `/`; an error if the document can't be read.
pub(super) fn path(document: &Document, roots: &Roots) -> Result<Option<String>, String> {
    if roots.own(&document.mount) {
        return Ok(None);
    }
    let (mut at, mut found) = (document.mount.clone(), None);
    let seed = Below { roots, at: &mut at, found: &mut found };
    let read = match document.format {
        Format::Json => {
            let mut from = serde_json::Deserializer::from_str(&document.text);
            seed.deserialize(&mut from).and_then(|()| from.end()).map_err(|error| error.to_string())
        }
        Format::Yaml => yaml(&document.text).and_then(|json| seed.deserialize(json).map_err(|error| error.to_string())),
    };
    match (found, read) {
        (Some(path), _) => Ok(Some(path)),
        (None, Ok(())) => Ok(None),
        (None, Err(cause)) => Err(format!("{cause}; mend the document")),
    }
}

/// The JSON that OPA makes of YAML.
pub(super) fn yaml(text: &str) -> Result<Json, String> {
    json(&value(text)?)
}

/// The same as a value.
pub(super) fn value(text: &str) -> Result<Value, String> {
    bounded(text)?;
    yaml::parse_only(text).map_err(|fault| match fault.place {
        Some((line, column)) if !fault.cause.contains(" at line ") => {
            format!("{} at line {line} column {column}", fault.cause)
        }
        _ => fault.cause,
    })
}

/// Refuses a text that opens so many brackets that reading it as YAML takes minutes: its reader's time grows with the
/// square of them, and it tells that it nests too deep only after all of it.
pub(super) fn bounded(text: &str) -> Result<(), String> {
    let mut open = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            return Err(format!("more than {MAX_OPEN} brackets are open at once"));
        }
    }
    Ok(())
}

fn json(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(number) => {
            Json::Number(number.to_string().parse().map_err(|_| format!("the number `{number}` is none in JSON"))?)
        }
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        Value::Object(members) => {
            let member = |(name, item): (&str, &Value)| Ok((name.to_owned(), json(item)?));
            Json::Object(members.iter().map(member).collect::<Result<_, String>>()?)
        }
    })
}

/// A value at a path that is not owned: an object in which all is owned or such a value again, or it is outside.
struct Below<'a> {
    roots: &'a Roots,
    at: &'a mut Vec<String>,
    found: &'a mut Option<String>,
}

impl Below<'_> {
    fn outside<E: serde::de::Error>(&mut self) -> Result<(), E> {
        *self.found = Some(self.at.join("/"));
        Err(E::custom("outside of the bundle's roots"))
    }
}

impl<'de> DeserializeSeed<'de> for Below<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("data")
    }

    fn visit_unit<E: serde::de::Error>(mut self) -> Result<(), E> {
        self.outside()
    }

    fn visit_bool<E: serde::de::Error>(mut self, _: bool) -> Result<(), E> {
        self.outside()
    }

    fn visit_i64<E: serde::de::Error>(mut self, _: i64) -> Result<(), E> {
        self.outside()
    }

    fn visit_u64<E: serde::de::Error>(mut self, _: u64) -> Result<(), E> {
        self.outside()
    }

    fn visit_f64<E: serde::de::Error>(mut self, _: f64) -> Result<(), E> {
        self.outside()
    }

    fn visit_str<E: serde::de::Error>(mut self, _: &str) -> Result<(), E> {
        self.outside()
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, _: A) -> Result<(), A::Error> {
        self.outside()
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        if !self.roots.reach_below(self.at) {
            return self.outside();
        }
        while let Some(name) = map.next_key::<String>()? {
            if name == NUMBER {
                return self.outside();
            }
            self.at.push(name);
            if self.roots.own(self.at) {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Below { roots: self.roots, at: self.at, found: self.found })?;
            }
            self.at.pop();
        }
        Ok(())
    }
}
