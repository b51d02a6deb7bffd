//! JSON as Go writes and reads it.

use std::{collections::BTreeMap, fmt::Write as _};

use regorus::Value as Rego;

use super::{
    super::{Failure, bounds, json::before_null},
    operand::bad,
};

/// The deepest value that is written.
const MAX_DEPTH: usize = 200;

/// An object out of JSON text. Of members with one name the last counts, as in OPA.
pub(in super::super) fn object(bytes: &[u8]) -> Result<Rego, Failure> {
    // What is no UTF-8 becomes one U+FFFD a byte.
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    if let Some(fault) = bounds::unsafe_number(&text, true) {
        return Err(Failure::Spent(fault.to_owned()));
    }
    if is_deep(&text) {
        return Err(Failure::Spent("the JSON nests too deep".to_owned()));
    }
    let read = Rego::from_json_str(&text).or_else(|error| match before_null(&text) {
        Some(first) => Rego::from_json_str(first),
        None => Err(error),
    });
    match read {
        Ok(value @ Rego::Object(_)) => Ok(value),
        Ok(_) => Err(bad("decoded JSON type was not an Object")),
        Err(_) => Err(bad("invalid JSON")),
    }
}

/// Whether brackets nest deeper than the parser goes; OPA would still read it, so that undefined is no answer to it.
fn is_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 120 {
            return true;
        }
    }
    false
}

/// The text of a value: members sorted, `<`, `>` and `&` escaped, sets as arrays.
pub(in super::super) fn marshal(value: &Rego) -> Result<String, Failure> {
    let mut text = String::new();
    write(&mut text, value, 0)?;
    Ok(text)
}

fn write(text: &mut String, value: &Rego, depth: usize) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::Spent(format!("a value nests deeper than {MAX_DEPTH}")));
    }
    match value {
        Rego::Null => text.push_str("null"),
        Rego::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Rego::Number(_) => text.push_str(&value.to_json_str().map_err(|_| bad("a number can't be written"))?),
        Rego::String(string) => quote(text, string),
        Rego::Array(items) => list(text, items.iter(), depth)?,
        Rego::Set(items) => list(text, items.iter_sorted(), depth)?,
        Rego::Object(members) => {
            let mut sorted = BTreeMap::new();
            for (key, item) in members.iter() {
                let name = match key {
                    Rego::String(name) => name.to_string(),
                    other => {
                        let mut name = String::new();
                        write(&mut name, other, depth + 1)?;
                        name
                    }
                };
                sorted.insert(name, item);
            }
            text.push('{');
            for (at, (name, item)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                quote(text, &name);
                text.push(':');
                write(text, item, depth + 1)?;
            }
            text.push('}');
        }
        Rego::Undefined => return Err(bad("undefined can't be written")),
    }
    Ok(())
}

fn list<'a>(text: &mut String, items: impl Iterator<Item = &'a Rego>, depth: usize) -> Result<(), Failure> {
    text.push('[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(text, item, depth + 1)?;
    }
    text.push(']');
    Ok(())
}

fn quote(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => {
                // Writing to a string can't fail.
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}
