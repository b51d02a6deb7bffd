//! JSON, YAML and the encodings, as Go has them.

use std::{borrow::Cow, io};

use regorus::Value as Rego;
use serde::Serialize as _;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::{
    super::{
        order::{presented, sorted},
        value::of_value,
    },
    Failure, Function,
    operand::{Answer, any, exact_text, failed, lossy, object, string, text},
};
use crate::decision;

pub(super) const ALL: &[Function] = &[
    Function { name: "json.is_valid", arity: 1, call: is_valid },
    Function { name: "json.unmarshal", arity: 1, call: unmarshal },
    Function { name: "json.marshal", arity: 1, call: |arguments| Ok(string(compact(any(arguments, 0))?)) },
    Function { name: "json.marshal_with_options", arity: 2, call: marshal_with_options },
    Function { name: "yaml.is_valid", arity: 1, call: yaml_is_valid },
    Function { name: "yaml.unmarshal", arity: 1, call: yaml_unmarshal },
    Function { name: "yaml.marshal", arity: 1, call: yaml_marshal },
    Function { name: "base64.decode", arity: 1, call: base64_decode },
    Function { name: "base64.is_valid", arity: 1, call: base64_is_valid },
    Function { name: "base64url.decode", arity: 1, call: base64url_decode },
    Function { name: "hex.decode", arity: 1, call: hex_decode },
];

#[expect(clippy::unnecessary_wraps, reason = "every built-in has this type")]
fn is_valid(arguments: &[Rego]) -> Answer {
    let valid = |text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    Ok(Rego::from(text(arguments, 0).is_ok_and(valid)))
}

fn unmarshal(arguments: &[Rego]) -> Answer {
    let text = paired(text(arguments, 0)?);
    Rego::from_json_str(&text)
        .or_else(|error| match before_null(&text) {
            Some(first) => Rego::from_json_str(first),
            None => Err(error),
        })
        .map_err(|error| Failure::Operand(format!("{error:#}")))
}

/// The value that stands before a `null`, in what is none as a whole: OPA looks at one token after the first value, and
/// takes a `null` for the end, whatever follows it.
pub(super) fn before_null(text: &str) -> Option<&str> {
    const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
    let start = text.trim_start_matches(SPACE);
    let end = match start.as_bytes().first()? {
        b'{' | b'[' | b'"' => {
            let mut values = serde_json::Deserializer::from_str(start).into_iter::<serde::de::IgnoredAny>();
            values.next()?.ok()?;
            values.byte_offset()
        }
        b'n' | b't' => 4,
        b'f' => 5,
        _ => start.find('n')?,
    };
    let (first, rest) = start.split_at_checked(end)?;
    let is_value = serde_json::from_str::<serde::de::IgnoredAny>(first).is_ok();
    (is_value && rest.trim_start_matches(SPACE).starts_with("null")).then_some(first)
}

/// Half a pair of UTF-16 is the replacement character to Go, and no JSON to serde.
fn paired(json: &str) -> Cow<'_, str> {
    let mut written = String::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        let start = at + found;
        match unit(json, start) {
            Some(0xD800..0xDC00) if matches!(unit(json, start + 6), Some(0xDC00..0xE000)) => at = start + 12,
            Some(0xD800..0xE000) => {
                written.push_str(json.get(from..start).unwrap_or_default());
                written.push(char::REPLACEMENT_CHARACTER);
                at = start + 6;
                from = at;
            }
            // What is escaped is not looked at: `\\ud800` has no half.
            _ => at = start + 1 + json.get(start + 1..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8),
        }
    }
    match from {
        0 => Cow::Borrowed(json),
        _ => Cow::Owned(written + json.get(from..).unwrap_or_default()),
    }
}

/// The number in an escape `\uXXXX` at `at`.
fn unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal)
}

pub(super) fn compact(value: &Rego) -> Result<String, Failure> {
    let text = serde_json::to_string(&*presented(value)).map_err(|error| Failure::Operand(error.to_string()))?;
    Ok(safe_for_html(&text))
}

/// Go escapes what could end a script in a page.
pub(super) fn safe_for_html(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe
}

fn marshal_with_options(arguments: &[Rego]) -> Answer {
    let value = any(arguments, 0);
    let refused = |fault: String| Err(Failure::Type(format!("operand 2 {fault}")));
    let (mut prefix, mut indent, mut implied, mut explicit) = ("", "\t", false, None);
    for (key, option) in object(arguments, 1)?.iter() {
        let Rego::String(key) = key else { return refused("failed to stringify key".to_owned()) };
        match (&**key, option) {
            ("prefix", Rego::String(text)) => (prefix, implied) = (text, true),
            ("indent", Rego::String(text)) => (indent, implied) = (text, true),
            ("pretty", Rego::Bool(pretty)) => explicit = Some(*pretty),
            ("prefix" | "indent" | "pretty", _) => return refused(format!("key {key} failed cast")),
            _ => return refused(format!("object contained unknown key {key}")),
        }
    }
    if !explicit.unwrap_or(implied) {
        return Ok(string(compact(value)?));
    }
    let mut bytes = Limited { bytes: Vec::new(), left: MAX_BYTES };
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(indent.as_bytes()));
    if presented(value).serialize(&mut serializer).is_err() {
        return Err(Failure::Spent(format!("the result would have more than {MAX_BYTES} bytes")));
    }
    let json = safe_for_html(&lossy(&bytes.bytes));
    if prefix.len().saturating_mul(json.matches('\n').count()) > MAX_BYTES {
        return Err(Failure::Spent(format!("the result would have more than {MAX_BYTES} bytes")));
    }
    Ok(string(format!("{prefix}{}", json.replace('\n', &format!("\n{prefix}")))))
}

/// The most bytes that a call may make.
const MAX_BYTES: usize = 16 << 20;

/// Bytes, up to so many.
struct Limited {
    bytes: Vec<u8>,
    left: usize,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::OutOfMemory)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn yaml_unmarshal(arguments: &[Rego]) -> Answer {
    match decision::yaml::parse(text(arguments, 0)?) {
        Ok(value) => Ok(of_value(&value)),
        Err(unreadable) if unreadable.may_have_value => Err(Failure::Spent(unreadable.cause)),
        Err(unreadable) => failed(unreadable.cause),
    }
}

fn yaml_is_valid(arguments: &[Rego]) -> Answer {
    match yaml_unmarshal(arguments) {
        Err(Failure::Spent(cause)) => Err(Failure::Spent(cause)),
        read => Ok(Rego::from(read.is_ok())),
    }
}

/// What `yaml.unmarshal` reads as the same value again: where it would not (`no` is false in YAML 1.1, which the crate that
/// writes does not know), the value is written as JSON, whose texts all have quotes.
fn yaml_marshal(arguments: &[Rego]) -> Answer {
    let value = any(arguments, 0);
    let json = compact(value)?;
    let is_read_back = |text: &str| {
        let read = decision::yaml::parse(text).ok().map(|read| compact(&of_value(&read)));
        matches!(read, Some(Ok(read)) if read == json)
    };
    match yaml_serde::to_string(&yaml(value)?) {
        Ok(text) if is_read_back(&text) => Ok(string(text)),
        Ok(_) if is_read_back(&json) => Ok(string(format!("{json}\n"))),
        Ok(_) => Err(Failure::Spent("YAML can't hold this value so that it is read back".to_owned())),
        Err(error) => failed(error.to_string()),
    }
}

/// A value for YAML: one of its numbers for each of ours, which serde would wrap.
fn yaml(value: &Rego) -> Result<yaml_serde::Value, Failure> {
    use yaml_serde::Value as Yaml;
    Ok(match value {
        Rego::Null | Rego::Undefined => Yaml::Null,
        Rego::Bool(truth) => Yaml::Bool(*truth),
        Rego::String(text) => Yaml::String(text.to_string()),
        Rego::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Yaml::Number(number.into()),
            (_, Some(number)) => Yaml::Number(number.into()),
            _ => match number.format_decimal().parse::<f64>() {
                Ok(number) if number.is_finite() => Yaml::Number(number.into()),
                _ => return Err(Failure::Spent("a number is too large for YAML".to_owned())),
            },
        },
        Rego::Array(items) => Yaml::Sequence(items.iter().map(yaml).collect::<Result<_, _>>()?),
        Rego::Set(items) => Yaml::Sequence(sorted(items).into_iter().map(yaml).collect::<Result<_, _>>()?),
        Rego::Object(members) => {
            let mut sorted = Vec::new();
            for (key, item) in members.iter_sorted() {
                let key = match key {
                    Rego::String(key) => key.to_string(),
                    other => compact(other)?,
                };
                sorted.push((Yaml::String(key), yaml(item)?));
            }
            Yaml::Mapping(sorted.into_iter().collect())
        }
    })
}

fn base64_decode(arguments: &[Rego]) -> Answer {
    Ok(string(exact_text(decoded(text(arguments, 0)?, *b"+/")?)?))
}

#[expect(clippy::unnecessary_wraps, reason = "every built-in has this type")]
fn base64_is_valid(arguments: &[Rego]) -> Answer {
    Ok(Rego::from(text(arguments, 0).and_then(|text| decoded(text, *b"+/")).is_ok()))
}

/// Digits of either case, two a byte.
fn hex_decode(arguments: &[Rego]) -> Answer {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text(arguments, 0)?.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect();
    match bytes {
        Some(bytes) => Ok(string(exact_text(bytes)?)),
        None => failed("encoding/hex: it is no hexadecimal text of even length"),
    }
}

/// Without padding, too (RFC 7515 appendix C).
fn base64url_decode(arguments: &[Rego]) -> Answer {
    let text = text(arguments, 0)?;
    let padding = match text.len() % 4 {
        _ if text.ends_with('=') => "",
        0 => "",
        2 => "==",
        3 => "=",
        _ => return failed("illegal base64url string"),
    };
    Ok(string(exact_text(decoded(&format!("{text}{padding}"), *b"-_")?)?))
}

/// The bytes of Base64 as Go reads it: line ends do not count, and the last bits may be anything.
fn decoded(text: &str, last: [u8; 2]) -> Result<Vec<u8>, Failure> {
    let illegal = || Failure::Operand("illegal base64 data".to_owned());
    let [sixty_two, sixty_three] = last;
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return Err(illegal());
    }
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for byte in text.iter().take(text.len() - padding) {
        let value = match *byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            byte if byte == sixty_two => 62,
            byte if byte == sixty_three => 63,
            _ => return Err(illegal()),
        };
        (bits, held) = (bits << 6 | u32::from(value), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or(0));
        }
    }
    Ok(bytes)
}
