//! What each bounded built-in may be asked for.

use bigdecimal::BigDecimal;
use regorus::Value as Rego;

/// Says why a call with these arguments is too much.
pub(super) type Bound = fn(&[Rego]) -> Result<(), String>;

/// The bound of this built-in, if it has one.
pub(super) fn of(name: &str) -> Option<Bound> {
    ALL.iter().find(|(bounded, _)| *bounded == name).map(|(_, bound)| *bound)
}

/// The bounded built-ins.
const ALL: [(&str, Bound); 10] = [
    ("json.unmarshal", json_numbers),
    ("yaml.is_valid", yaml_brackets),
    ("yaml.unmarshal", yaml_names),
    ("to_number", any_number),
    ("units.parse", any_number),
    ("units.parse_bytes", any_number),
    ("replace", replaced),
    ("strings.replace_n", replaced_n),
    ("concat", joined),
    ("graph.reachable_paths", paths),
];

/// The most bytes that a call may make of its arguments.
const MAX_BYTES: usize = 16 << 20;
/// The most brackets of a YAML text that may be open at once.
const MAX_OPEN: usize = 1_000;
/// The most digits of an exponent.
const MAX_DIGITS: usize = 3;
/// The most edges of a graph all of whose paths are asked for; their number can double with each two.
const MAX_EDGES: usize = 40;

fn text(arguments: &[Rego], at: usize) -> &str {
    match arguments.get(at) {
        Some(Rego::String(text)) => text,
        _ => "",
    }
}

/// What `serde_json` gives for a number whose text is kept: an object with this one name. Read back, an object is a number.
const NUMBER: &str = "$serde_json::private::Number";

/// What is wrong with the numbers of a JSON text, so that it must not be read.
pub(in crate::policy) fn unsafe_number(text: &str, skip_strings: bool) -> Option<&'static str> {
    if has_huge_exponent(text, skip_strings) {
        return Some("a number's exponent has more than 3 digits");
    }
    if skip_strings && has_lost_digits(text) {
        return Some("a number has so many digits that it would become another one: write it as a string");
    }
    reserved_name(text)
}

/// What is wrong with the names of a YAML text. Its numbers are 64 bits (`decision/yaml/scalar.rs`): what has a larger
/// exponent is a text.
pub(in crate::policy) fn reserved_name(text: &str) -> Option<&'static str> {
    poses_as_number(text).then_some("an object has the name `$serde_json::private::Number`, which is reserved")
}

/// Whether an object could be taken for a number, also where its name is written with escapes.
fn poses_as_number(text: &str) -> bool {
    if text.contains(NUMBER) {
        return true;
    }
    if !text.contains('\\') {
        return false;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let digits = match after.bytes().next() {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => 0,
        };
        let code = after.get(1..=digits).filter(|_| digits > 0).and_then(|code| u32::from_str_radix(code, 16).ok());
        rest = if let Some(letter) = code.and_then(char::from_u32) {
            plain.push(letter);
            after.get(1 + digits..).unwrap_or_default()
        } else {
            // `\\u0024` is no escape, and a line may end in one.
            let mut letters = after.chars();
            match letters.next() {
                Some(letter) if !letter.is_whitespace() => {
                    plain.push(letter);
                    letters.as_str()
                }
                _ => letters.as_str().trim_start(),
            }
        };
    }
    plain.push_str(rest);
    plain.contains(NUMBER)
}

/// Whether a number in `text` has an exponent of more than [`MAX_DIGITS`] digits; written out, it would fill memory.
fn has_huge_exponent(text: &str, skip_strings: bool) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut in_string) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' if skip_strings => in_string = !in_string,
            b'e' | b'E' if !in_string => {
                let before = at.checked_sub(1).and_then(|before| bytes.get(before));
                if before.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') {
                    let rest = bytes.get(at + 1..).unwrap_or_default();
                    let rest = rest.strip_prefix(b"+").or_else(|| rest.strip_prefix(b"-")).unwrap_or(rest);
                    let digits = rest.iter().skip_while(|byte| **byte == b'0').take_while(|byte| byte.is_ascii_digit());
                    if digits.take(MAX_DIGITS + 1).count() > MAX_DIGITS {
                        return true;
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// Whether a number of a JSON text would become a whole number that is another one. Decimals are doubles here.
fn has_lost_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut in_string) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'0'..=b'9' if !in_string => {
                let part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                let end = at + bytes.iter().skip(at).take_while(part).count();
                if text.get(at..end).is_some_and(loses_digits) {
                    return true;
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// The longest number with a point or an exponent that is looked at, in bytes.
const MOST_DIGITS: usize = 1_000;

/// Whether a number, whose exponent is short, is read as a whole number that is another one.
pub(in crate::policy) fn loses_digits(number: &str) -> bool {
    // What has few digits is near no other whole number, and without a point or an exponent none is lost.
    if !number.contains(['.', 'e', 'E']) || (number.len() <= 15 && !number.contains(['e', 'E'])) {
        return false;
    }
    // To tell takes a time that grows with the square of it.
    if number.len() > MOST_DIGITS {
        return true;
    }
    let Ok(Rego::Number(read)) = Rego::from_numeric_string(number) else { return false };
    let exact = |text: &str| text.parse::<BigDecimal>().ok();
    read.is_integer() && exact(number) != exact(&read.format_decimal())
}

fn numbers(text: &str, skip_strings: bool) -> Result<(), String> {
    unsafe_number(text, skip_strings).map_or(Ok(()), |fault| Err(fault.to_owned()))
}

fn json_numbers(arguments: &[Rego]) -> Result<(), String> {
    numbers(text(arguments, 0), true)
}

fn yaml_names(arguments: &[Rego]) -> Result<(), String> {
    yaml_brackets(arguments)?;
    reserved_name(text(arguments, 0)).map_or(Ok(()), |fault| Err(fault.to_owned()))
}

fn yaml_brackets(arguments: &[Rego]) -> Result<(), String> {
    if opens_too_much(text(arguments, 0)) {
        return Err(format!("more than {MAX_OPEN} brackets are open at once"));
    }
    Ok(())
}

/// Whether a text opens so many brackets that reading it as YAML takes minutes: its parser's time grows with the square
/// of them, and it tells that it nests too deep (at 128) only after all of it.
pub(in crate::policy) fn opens_too_much(text: &str) -> bool {
    let mut open = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > MAX_OPEN
    })
}

fn any_number(arguments: &[Rego]) -> Result<(), String> {
    let text = text(arguments, 0);
    if text.len() > 1_000 {
        return Err("a number has more than 1000 characters".to_owned());
    }
    numbers(text, false)
}

fn made(bytes: Option<usize>) -> Result<(), String> {
    match bytes {
        Some(bytes) if bytes <= MAX_BYTES => Ok(()),
        _ => Err(format!("the result would have more than {MAX_BYTES} bytes")),
    }
}

/// The most bytes that replacing each `old` in `length` bytes by `new` can make.
fn after_replacing(length: usize, old: usize, new: usize) -> Option<usize> {
    // An empty `old` is found before each character, and at the end.
    let found = length.checked_div(old).or_else(|| length.checked_add(1))?;
    found.checked_mul(new)?.checked_add(length)
}

fn replaced(arguments: &[Rego]) -> Result<(), String> {
    let (text, old, new) = (text(arguments, 0), text(arguments, 1), text(arguments, 2));
    // The bound on what is possible is cheap, and mostly enough; only past it is it counted.
    if made(after_replacing(text.len(), old.len(), new.len())).is_ok() {
        return Ok(());
    }
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    made(found.checked_mul(new.len()).and_then(|bytes| bytes.checked_add(text.len())))
}

fn replaced_n(arguments: &[Rego]) -> Result<(), String> {
    let Some(Rego::Object(patterns)) = arguments.first() else { return Ok(()) };
    let mut length = Some(text(arguments, 1).len());
    for (old, new) in patterns.iter() {
        if let (Rego::String(old), Rego::String(new)) = (old, new) {
            length = length.and_then(|length| after_replacing(length, old.len(), new.len()));
        }
    }
    made(length)
}

fn joined(arguments: &[Rego]) -> Result<(), String> {
    let lengths: Vec<usize> = match arguments.get(1) {
        Some(Rego::Array(items)) => items.iter().map(length).collect(),
        Some(Rego::Set(items)) => items.iter().map(length).collect(),
        _ => return Ok(()),
    };
    let delimiters = text(arguments, 0).len().checked_mul(lengths.len());
    made(
        lengths
            .iter()
            .try_fold(0_usize, |sum, length| sum.checked_add(*length))
            .and_then(|sum| sum.checked_add(delimiters?)),
    )
}

fn length(item: &Rego) -> usize {
    match item {
        Rego::String(text) => text.len(),
        _ => 0,
    }
}

fn paths(arguments: &[Rego]) -> Result<(), String> {
    let Some(Rego::Object(graph)) = arguments.first() else { return Ok(()) };
    let edges: usize = graph
        .values()
        .map(|targets| match targets {
            Rego::Array(targets) => targets.len(),
            Rego::Set(targets) => targets.len(),
            _ => 0,
        })
        .sum();
    if edges > MAX_EDGES {
        return Err(format!("the graph has more than {MAX_EDGES} edges; `graph.reachable` has no such bound"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_passes_for_a_number() {
        for text in [
            r#"{"$serde_json::private::Number": "7"}"#,
            r#"{"\u0024serde_json::private::Number": "7"}"#,
            r#"{"$serde_json::private::\u004eumber": "7"}"#,
            r#""\x24serde_json::private::Number": 7"#,
            "\"$serde_json::priv\\\n  ate::Number\": 7",
        ] {
            assert!(unsafe_number(text, true).is_some_and(|fault| fault.contains("reserved")), "{text}");
        }
        for text in [r#"{"$serde_json": 7}"#, r#"{"a\\u0024": "\u00e9\ud83d\ude00"}"#, "\\", "\\u", r"\u00"] {
            assert_eq!(unsafe_number(text, true), None, "{text}");
        }
        assert!(unsafe_number("1e9999", true).is_some_and(|fault| fault.contains("exponent")));
    }

    #[test]
    fn no_number_becomes_another_whole_number() {
        for text in [
            "9007199254740993.5",
            "9007199254740993.0",
            "-4503599627370497.25",
            "90071992547409930e-1",
            "0.99999999999999999999",
            "1e-400",
            "-1.00000000000000000001E0",
        ] {
            assert!(loses_digits(text), "{text}");
            assert!(unsafe_number(&format!("{{\"a\": [1, {text}]}}"), true).is_some(), "{text}");
            assert_eq!(unsafe_number(&format!("[\"\\\" {text}\", 1.5]"), true), None, "{text}");
        }
        for text in [
            "0",
            "1.0",
            "1e2",
            "9007199254740993",
            "12345678901234567890123e1",
            "0.1",
            "4503599627370495.5",
            "1e-300",
            "-0.0",
            "0e-1",
        ] {
            assert!(!loses_digits(text), "{text}");
        }
    }
}
