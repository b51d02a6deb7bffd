//! Data outside of what a bundle owns, found without keeping the data.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Document, Format, roots::Roots};

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
        Format::Yaml => yaml(&document.text).and_then(|from| seed.deserialize(from).map_err(|error| error.to_string())),
    };
    match (found, read) {
        (Some(path), _) => Ok(Some(path)),
        (None, Ok(())) => Ok(None),
        (None, Err(cause)) => Err(format!("{cause}; mend the document")),
    }
}

/// A reader of YAML, unless its text opens so many brackets that reading takes minutes: its time grows with the square of
/// them, and it tells that it nests too deep only after all of it.
pub(super) fn yaml(text: &str) -> Result<yaml_serde::Deserializer<'_>, String> {
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
    Ok(yaml_serde::Deserializer::from_str(text))
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
