//! The functions of Go's `text/template`.

use std::{cmp::Ordering, fmt::Write as _};

use super::{
    Fault,
    exec::member,
    format::{self, Shape},
    value::Value,
};

/// Their names.
pub(super) const NAMES: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

/// How long a text that a function makes is at most.
const MAX_BYTES: usize = 4 << 20;

fn failed<T>(cause: &str) -> Result<T, Fault> {
    Err(Fault::Failed(cause.to_owned()))
}

/// Whether a function can have so many arguments.
pub(super) fn check_count(name: &str, count: usize) -> Result<(), Fault> {
    let fits = match name {
        "len" | "not" => count == 1,
        "ne" | "lt" | "le" | "gt" | "ge" => count == 2,
        "and" | "or" | "eq" | "index" | "slice" | "printf" | "call" => count >= 1,
        _ => true,
    };
    if fits { Ok(()) } else { failed("wrong number of args") }
}

/// Calls a function; `and` and `or` are not called, as they don't evaluate all of their arguments.
pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, Fault> {
    let first = arguments.first().unwrap_or(&Value::Missing);
    let second = arguments.get(1).unwrap_or(&Value::Missing);
    let rest = arguments.get(1..).unwrap_or_default();
    let truth = |truth: Result<bool, Fault>| truth.map(Value::Bool);
    match name {
        "not" => Ok(Value::Bool(!first.is_true())),
        "len" => length(first),
        "index" => index(first, rest),
        "slice" => slice(first, rest),
        "eq" => truth(equal(first, rest)),
        "ne" => truth(equal(first, rest).map(|equal| !equal)),
        "lt" => truth(less(first, second)),
        "le" => truth(less_or_equal(first, second)),
        "gt" => truth(less_or_equal(first, second).map(|less| !less)),
        "ge" => truth(less(first, second).map(|less| !less)),
        "print" => sprint(arguments, false).map(Value::text),
        "println" => sprint(arguments, true).map(Value::text),
        "printf" => match first {
            Value::Text(text) => format::sprintf(text, rest).map(Value::text),
            _ => failed("wrong type for value; expected string"),
        },
        "html" => escaped(arguments, html),
        "js" => escaped(arguments, javascript),
        "urlquery" => escaped(arguments, url_query),
        _ => failed("non-function"),
    }
}

/// A value as an action writes it.
pub(super) fn shown(value: &Value) -> Result<Vec<u8>, Fault> {
    match value {
        Value::Missing | Value::Null => Ok(b"<no value>".to_vec()),
        Value::Text(text) | Value::Number(text) => Ok(text.to_vec()),
        value => {
            let mut output = Vec::new();
            format::plain(&mut output, value, Shape::default(), 0)?;
            Ok(output)
        }
    }
}

/// Go's `fmt.Sprint`, which puts space between what is no text, or its `Sprintln`.
fn sprint(arguments: &[Value], lines: bool) -> Result<Vec<u8>, Fault> {
    let mut output = Vec::new();
    let mut after_text = true;
    for (number, argument) in arguments.iter().enumerate() {
        let is_text = matches!(argument, Value::Text(_) | Value::Number(_));
        if number > 0 && (lines || !(is_text || after_text)) {
            output.push(b' ');
        }
        format::plain(&mut output, argument, Shape::default(), 0)?;
        after_text = is_text;
        bounded(&output)?;
    }
    if lines {
        output.push(b'\n');
    }
    Ok(output)
}

fn bounded(output: &[u8]) -> Result<(), Fault> {
    if output.len() > MAX_BYTES {
        return Err(Fault::Bound(format!("the template gives more than {MAX_BYTES} bytes")));
    }
    Ok(())
}

fn length(of: &Value) -> Result<Value, Fault> {
    let length = match of {
        Value::Text(text) | Value::Number(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(members) => members.len(),
        other => return failed(&format!("len of type {}", other.type_name())),
    };
    i64::try_from(length).map(Value::Int).or_else(|_| failed("too long"))
}

fn position(index: &Value, most: usize) -> Result<usize, Fault> {
    let position = match index {
        Value::Int(number) => usize::try_from(*number).ok(),
        Value::Byte(number) => Some(usize::from(*number)),
        _ => return failed("cannot index slice/array with this type"),
    };
    position.filter(|position| *position <= most).ok_or_else(|| Fault::Failed("index out of range".to_owned()))
}

fn index(of: &Value, indexes: &[Value]) -> Result<Value, Fault> {
    if matches!(of, Value::Missing | Value::Null) {
        return failed("index of untyped nil");
    }
    let mut of = of.clone();
    for index in indexes {
        let item = match (&of, index) {
            (Value::Text(text) | Value::Number(text), index) => {
                text.get(position(index, text.len())?).map(|byte| Value::Byte(*byte))
            }
            (Value::List(items), index) => items.get(position(index, items.len())?).cloned(),
            (Value::Map(members), Value::Text(name)) => Some(member(members, name, Value::Null)),
            _ => None,
        };
        of = item.ok_or_else(|| Fault::Failed("can't index item".to_owned()))?;
    }
    Ok(of)
}

fn slice(of: &Value, indexes: &[Value]) -> Result<Value, Fault> {
    let length = match of {
        Value::Text(_) | Value::Number(_) if indexes.len() > 2 => return failed("cannot 3-index slice a string"),
        Value::Text(text) | Value::Number(text) => text.len(),
        Value::List(items) => items.len(),
        other => return failed(&format!("can't slice item of type {}", other.type_name())),
    };
    if indexes.len() > 3 {
        return failed("too many slice indexes");
    }
    let positions = indexes.iter().map(|index| position(index, length)).collect::<Result<Vec<_>, _>>()?;
    let start = positions.first().copied().unwrap_or(0);
    let end = positions.get(1).copied().unwrap_or(length);
    let most = positions.get(2).copied().unwrap_or(end);
    if start > end || end > most {
        return failed("invalid slice index");
    }
    let part = match of {
        Value::Text(text) => text.get(start..end).map(Value::text),
        Value::Number(text) => text.get(start..end).map(|text| Value::Number(text.into())),
        Value::List(items) => items.get(start..end).map(|items| Value::List(items.into())),
        _ => None,
    };
    part.ok_or_else(|| Fault::Failed("slice out of range".to_owned()))
}

fn equal(one: &Value, others: &[Value]) -> Result<bool, Fault> {
    if others.is_empty() {
        return failed("missing argument for comparison");
    }
    let missing = |value: &Value| matches!(value, Value::Missing | Value::Null);
    for other in others {
        let same = match (one, other) {
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Int(one), Value::Int(other)) => one == other,
            (Value::Byte(one), Value::Byte(other)) => one == other,
            (Value::Int(int), Value::Byte(byte)) | (Value::Byte(byte), Value::Int(int)) => *int == i64::from(*byte),
            #[expect(clippy::float_cmp, reason = "this is what Go compares")]
            (Value::Float(one), Value::Float(other)) => one == other,
            (Value::Text(one) | Value::Number(one), Value::Text(other) | Value::Number(other)) => one == other,
            (one, other) if missing(one) || missing(other) => missing(one) == missing(other),
            (one, other) => {
                let types = (one.type_name(), other.type_name());
                return failed(&format!("incompatible types for comparison: {} and {}", types.0, types.1));
            }
        };
        if same {
            return Ok(true);
        }
    }
    Ok(false)
}

fn less(one: &Value, other: &Value) -> Result<bool, Fault> {
    let ordering = match (one, other) {
        (Value::Int(one), Value::Int(other)) => one.cmp(other),
        (Value::Byte(one), Value::Byte(other)) => one.cmp(other),
        (Value::Int(one), Value::Byte(other)) => one.cmp(&i64::from(*other)),
        (Value::Byte(one), Value::Int(other)) => i64::from(*one).cmp(other),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other).unwrap_or(Ordering::Greater),
        (Value::Text(one) | Value::Number(one), Value::Text(other) | Value::Number(other)) => one.cmp(other),
        _ => return failed("invalid or incompatible types for comparison"),
    };
    Ok(ordering == Ordering::Less)
}

fn less_or_equal(one: &Value, other: &Value) -> Result<bool, Fault> {
    Ok(less(one, other)? || equal(one, std::slice::from_ref(other))?)
}

fn escaped(arguments: &[Value], escape: fn(&[u8], &mut Vec<u8>)) -> Result<Value, Fault> {
    let text = match arguments {
        [Value::Text(text)] => text.to_vec(),
        arguments => {
            let settle = |value: &Value| match value {
                Value::Missing | Value::Null => Value::text("<no value>"),
                value => value.clone(),
            };
            sprint(&arguments.iter().map(settle).collect::<Vec<_>>(), false)?
        }
    };
    let mut output = Vec::with_capacity(text.len());
    escape(&text, &mut output);
    bounded(&output)?;
    Ok(Value::text(output))
}

fn html(text: &[u8], output: &mut Vec<u8>) {
    for byte in text {
        match byte {
            0 => output.extend("\u{fffd}".as_bytes()),
            b'"' => output.extend(b"&#34;"),
            b'\'' => output.extend(b"&#39;"),
            b'&' => output.extend(b"&amp;"),
            b'<' => output.extend(b"&lt;"),
            b'>' => output.extend(b"&gt;"),
            byte => output.push(*byte),
        }
    }
}

fn javascript(text: &[u8], output: &mut Vec<u8>) {
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '\\' | '\'' | '"' => output.extend([b'\\', u8::try_from(character).unwrap_or_default()]),
            '<' | '>' | '&' | '=' | '\0'..' ' => output.extend(format!("\\u{:04X}", u32::from(character)).as_bytes()),
            _ if format::is_printable(character) => output.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => output.extend(format!("\\u{:04X}", u32::from(character)).as_bytes()),
        }
    }
}

fn url_query(text: &[u8], output: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => output.push(*byte),
            b' ' => output.push(b'+'),
            byte => {
                let mut code = String::new();
                // Writing to a string does not fail.
                let _ = write!(code, "%{byte:02X}");
                output.extend(code.as_bytes());
            }
        }
    }
}
