//! Go's `fmt.Sprintf`, for the values of a template.

use super::{Fault, value::Value};

/// The widest field; Go's own bound is a million.
const MAX_WIDTH: usize = 10_000;
/// How long a text is at most.
const MAX_BYTES: usize = 4 << 20;
/// The power of ten from which the shortest digits have an exponent.
const SHORTEST_LIMIT: i32 = 6;
/// How deep values nest at most.
const MAX_DEPTH: usize = 500;

/// The flags of a verb.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "these are Go's flags")]
pub(super) struct Shape {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Whether Go's `strconv` and templates show a character as it is.
pub(super) fn is_printable(character: char) -> bool {
    character == ' ' || !(character.is_control() || character.is_whitespace() || is_invisible(character))
}

/// Characters of the categories Cf, Cn, Co and Cs that are met in texts.
fn is_invisible(character: char) -> bool {
    matches!(u32::from(character),
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
        | 0xe000..=0xf8ff | 0xfeff | 0xfff0..=0xfffb | 0xfffe..=0xffff | 0xe0000..=0xe0fff | 0xf0000..=0x0010_ffff)
}

/// Formats `arguments` by `text`.
pub(super) fn sprintf(text: &[u8], arguments: &[Value]) -> Result<Vec<u8>, Fault> {
    let text = String::from_utf8_lossy(text);
    let mut output = Vec::new();
    let (mut used, mut reordered) = (0_usize, false);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        if output.len() > MAX_BYTES {
            return Err(Fault::Bound(format!("the template gives more than {MAX_BYTES} bytes")));
        }
        if character != '%' {
            output.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let mut shape = Shape::default();
        while let Some(flag) = rest.next_if(|flag| "+-# 0".contains(*flag)) {
            match flag {
                '+' => shape.plus = true,
                '-' => shape.minus = true,
                '#' => shape.sharp = true,
                ' ' => shape.space = true,
                _ => shape.zero = true,
            }
        }
        let mut bad = index(&mut rest, arguments.len(), &mut used, &mut reordered);
        let (width, star) = size(&mut rest, arguments, &mut used, &mut output, "%!(BADWIDTH)");
        shape.width = width.map(i64::unsigned_abs).and_then(|width| usize::try_from(width).ok());
        shape.minus |= star && width.is_some_and(i64::is_negative);
        if rest.next_if_eq(&'.').is_some() {
            bad |= index(&mut rest, arguments.len(), &mut used, &mut reordered);
            let (precision, star) = size(&mut rest, arguments, &mut used, &mut output, "%!(BADPREC)");
            let precision = if star { precision } else { Some(precision.unwrap_or(0)) };
            shape.precision = precision.and_then(|precision| usize::try_from(precision).ok());
        }
        bad |= index(&mut rest, arguments.len(), &mut used, &mut reordered);
        shape.zero &= !shape.minus;
        if shape.width.max(shape.precision).is_some_and(|size| size > MAX_WIDTH) {
            return Err(Fault::Bound(format!("a field is wider than {MAX_WIDTH}")));
        }
        match rest.next() {
            None => output.extend(b"%!(NOVERB)"),
            Some('%') => output.push(b'%'),
            Some(verb) if bad => output.extend(format!("%!{verb}(BADINDEX)").as_bytes()),
            Some(verb) => match arguments.get(used) {
                None => output.extend(format!("%!{verb}(MISSING)").as_bytes()),
                Some(argument) => {
                    used += 1;
                    one(&mut output, argument, verb, shape, 0)?;
                }
            },
        }
    }
    if !reordered && used < arguments.len() {
        output.extend(b"%!(EXTRA ");
        for (number, argument) in arguments.iter().skip(used).enumerate() {
            output.extend(if number > 0 { &b", "[..] } else { b"" });
            output.extend(argument.type_name().as_bytes());
            if !is_missing(argument) {
                output.push(b'=');
                plain(&mut output, argument, Shape::default(), 0)?;
            }
        }
        output.push(b')');
    }
    Ok(output)
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Reads `[3]`; says whether it is wrong.
fn index(rest: &mut Rest<'_>, count: usize, used: &mut usize, reordered: &mut bool) -> bool {
    if rest.next_if_eq(&'[').is_none() {
        return false;
    }
    *reordered = true;
    let mut digits = String::new();
    while let Some(digit) = rest.next_if(|digit| *digit != ']') {
        digits.push(digit);
    }
    rest.next();
    match digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) {
        Some(number) if number < count => {
            *used = number;
            false
        }
        _ => true,
    }
}

/// Reads a width or a precision, as digits or as `*`; says whether it was a `*`.
fn size(
    rest: &mut Rest<'_>,
    arguments: &[Value],
    used: &mut usize,
    output: &mut Vec<u8>,
    fault: &str,
) -> (Option<i64>, bool) {
    if rest.next_if_eq(&'*').is_some() {
        let value = match arguments.get(*used) {
            Some(Value::Int(number)) => Some(*number),
            Some(Value::Byte(number)) => Some(i64::from(*number)),
            _ => None,
        };
        if value.is_none() {
            output.extend(fault.as_bytes());
        }
        *used += 1;
        return (value, true);
    }
    let mut number = None;
    while let Some(digit) = rest.next_if(char::is_ascii_digit).and_then(|digit| digit.to_digit(10)) {
        number = Some(number.unwrap_or(0_i64).saturating_mul(10).saturating_add(i64::from(digit)));
    }
    (number, false)
}

fn is_missing(value: &Value) -> bool {
    matches!(value, Value::Missing | Value::Null)
}

/// A value as `%v` has it.
pub(super) fn plain(output: &mut Vec<u8>, value: &Value, shape: Shape, depth: usize) -> Result<(), Fault> {
    one(output, value, 'v', shape, depth)
}

fn one(output: &mut Vec<u8>, value: &Value, verb: char, shape: Shape, depth: usize) -> Result<(), Fault> {
    if depth > MAX_DEPTH || output.len() > MAX_BYTES {
        return Err(Fault::Bound("a value is too deep or too long to be written".to_owned()));
    }
    let go = verb == 'v' && shape.sharp;
    match (value, verb) {
        (_, 'T') => pad(output, value.type_name(), shape),
        (Value::Missing | Value::Null, _) if depth > 0 => {
            output.extend(if go { &b"interface {}(nil)"[..] } else { b"<nil>" });
        }
        (Value::Missing | Value::Null, 'v') => pad(output, "<nil>", shape),
        (Value::Missing | Value::Null, verb) => output.extend(format!("%!{verb}(<nil>)").as_bytes()),
        (Value::List(items), _) if verb != 'p' => {
            output.extend(if go { &b"[]interface {}{"[..] } else { b"[" });
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    output.extend(if go { &b", "[..] } else { b" " });
                }
                one(output, item, verb, shape, depth + 1)?;
            }
            output.push(if go { b'}' } else { b']' });
        }
        (Value::Map(members), _) if verb != 'p' => {
            output.extend(if go { &b"map[string]interface {}{"[..] } else { b"map[" });
            for (number, (name, item)) in members.iter().enumerate() {
                if number > 0 {
                    output.extend(if go { &b", "[..] } else { b" " });
                }
                one(output, &Value::text(name.clone()), verb, shape, depth + 1)?;
                output.push(b':');
                one(output, item, verb, shape, depth + 1)?;
            }
            output.push(if go { b'}' } else { b']' });
        }
        (Value::Bool(truth), 'v' | 't') => pad(output, if *truth { "true" } else { "false" }, shape),
        (Value::Int(number), _) if integer(output, i128::from(*number), verb, shape, false) => {}
        (Value::Byte(number), _) if integer(output, i128::from(*number), verb, shape, go) => {}
        (Value::Float(number), _) if float(output, *number, verb, shape) => {}
        (Value::Text(text) | Value::Number(text), _) if string(output, text, verb, shape) => {}
        _ => {
            output.extend(format!("%!{verb}({}=", value.type_name()).as_bytes());
            plain(output, value, Shape::default(), depth + 1)?;
            output.push(b')');
        }
    }
    Ok(())
}

fn pad(output: &mut Vec<u8>, text: &str, shape: Shape) {
    pad_bytes(output, text.as_bytes(), shape, false);
}

fn pad_bytes(output: &mut Vec<u8>, text: &[u8], shape: Shape, zero: bool) {
    let missing = shape.width.unwrap_or(0).saturating_sub(String::from_utf8_lossy(text).chars().count());
    let fill = std::iter::repeat_n(if zero { b'0' } else { b' ' }, missing);
    if shape.minus {
        output.extend(text);
        output.extend(fill);
    } else {
        output.extend(fill);
        output.extend(text);
    }
}

fn integer(output: &mut Vec<u8>, number: i128, verb: char, shape: Shape, go: bool) -> bool {
    let magnitude = number.unsigned_abs();
    let (digits, prefix) = match verb {
        'v' if go => (format!("{magnitude:x}"), "0x"),
        'd' | 'v' => (magnitude.to_string(), ""),
        'b' => (format!("{magnitude:b}"), if shape.sharp { "0b" } else { "" }),
        'o' => (format!("{magnitude:o}"), if shape.sharp { "0" } else { "" }),
        'O' => (format!("{magnitude:o}"), "0o"),
        'x' => (format!("{magnitude:x}"), if shape.sharp { "0x" } else { "" }),
        'X' => (format!("{magnitude:X}"), if shape.sharp { "0X" } else { "" }),
        'U' => {
            pad(output, &format!("U+{magnitude:04X}"), shape);
            return true;
        }
        'c' | 'q' => {
            let character = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            let text = if verb == 'c' {
                character.to_string()
            } else {
                quoted(character.to_string().as_bytes(), '\'', shape.plus)
            };
            pad(output, &text, shape);
            return true;
        }
        _ => return false,
    };
    let sign = if number < 0 {
        "-"
    } else if shape.plus {
        "+"
    } else if shape.space {
        " "
    } else {
        ""
    };
    let mut wanted = shape.precision.unwrap_or(0);
    if shape.precision.is_none() && shape.zero {
        wanted = shape.width.unwrap_or(0).saturating_sub(sign.len());
    }
    let digits = if shape.precision == Some(0) && number == 0 { String::new() } else { digits };
    let zeros = "0".repeat(wanted.saturating_sub(digits.len()));
    pad(output, &format!("{sign}{prefix}{zeros}{digits}"), shape);
    true
}

/// A double in the shortest digits, or in as many as `precision` says.
fn float(output: &mut Vec<u8>, number: f64, verb: char, shape: Shape) -> bool {
    let magnitude = number.abs();
    let text = match (verb, shape.precision) {
        _ if !number.is_finite() => if number.is_nan() { "NaN" } else { "Inf" }.to_owned(),
        ('e' | 'E', precision) => exponent(&format!("{magnitude:.*e}", precision.unwrap_or(6))),
        ('f' | 'F', precision) => format!("{magnitude:.*}", precision.unwrap_or(6)),
        ('g' | 'G' | 'v', precision) => general(magnitude, precision),
        _ => return false,
    };
    let text = if verb == 'E' || verb == 'G' { text.to_uppercase() } else { text };
    let sign = if number.is_sign_negative() {
        "-"
    } else if shape.plus {
        "+"
    } else if shape.space {
        " "
    } else {
        ""
    };
    if shape.zero && number.is_finite() {
        let zeros = "0".repeat(shape.width.unwrap_or(0).saturating_sub(sign.len() + text.len()));
        output.extend(format!("{sign}{zeros}{text}").as_bytes());
    } else {
        pad(output, &format!("{sign}{text}"), shape);
    }
    true
}

/// Go writes at least two digits of an exponent, and its sign.
fn exponent(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text.to_owned() };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn general(magnitude: f64, precision: Option<usize>) -> String {
    let digits = precision.map(|precision| precision.max(1));
    let scientific = match digits {
        Some(digits) => format!("{magnitude:.*e}", digits - 1),
        None => format!("{magnitude:e}"),
    };
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    let count = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let limit = digits.map_or(SHORTEST_LIMIT, |digits| i32::try_from(digits.max(1)).unwrap_or(i32::MAX));
    let limit = if digits.is_some_and(|digits| digits > count) { i32::try_from(count).unwrap_or(limit) } else { limit };
    if power < -4 || power >= limit {
        return exponent(&format!("{}e{power}", trim(mantissa)));
    }
    match digits {
        Some(digits) => {
            let after = i32::try_from(digits).unwrap_or(0) - 1 - power;
            trim(&format!("{magnitude:.*}", usize::try_from(after).unwrap_or(0)))
        }
        None => format!("{magnitude}"),
    }
}

fn string(output: &mut Vec<u8>, text: &[u8], verb: char, shape: Shape) -> bool {
    let cut = |text: &[u8]| match shape.precision {
        Some(most) if most < text.len() => {
            String::from_utf8_lossy(text).chars().take(most).collect::<String>().into_bytes()
        }
        _ => text.to_vec(),
    };
    match verb {
        'v' if shape.sharp => pad(output, &quoted(text, '"', false), shape),
        'v' | 's' => pad_bytes(output, &cut(text), shape, shape.zero),
        'q' => {
            let bytes = cut(text);
            let raw = |text: &&str| !text.contains('`') && text.chars().all(|c| c == '\t' || !c.is_control());
            match std::str::from_utf8(&bytes).ok().filter(|_| shape.sharp).filter(raw) {
                Some(text) => pad(output, &format!("`{text}`"), shape),
                None => pad(output, &quoted(&bytes, '"', shape.plus), shape),
            }
        }
        'x' | 'X' => {
            let text = text.get(..shape.precision.unwrap_or(text.len())).unwrap_or(text);
            let byte = |byte: &u8| if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") };
            let prefix = if shape.sharp { if verb == 'x' { "0x" } else { "0X" } } else { "" };
            let bytes: Vec<String> = text.iter().map(byte).collect();
            let hex = if shape.space { bytes.join(&format!(" {prefix}")) } else { bytes.concat() };
            let prefix = if bytes.is_empty() { "" } else { prefix };
            pad(output, &format!("{prefix}{hex}"), shape);
        }
        _ => return false,
    }
    true
}

/// A text as Go's `strconv.Quote` has it.
fn quoted(text: &[u8], quote: char, ascii: bool) -> String {
    let mut output = String::from(quote);
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            quote_character(&mut output, character, quote, ascii);
        }
        for byte in chunk.invalid() {
            output.extend([format!("\\x{byte:02x}")]);
        }
    }
    output.push(quote);
    output
}

fn quote_character(output: &mut String, character: char, quote: char, ascii: bool) {
    match character {
        '\u{7}' => output.push_str("\\a"),
        '\u{8}' => output.push_str("\\b"),
        '\u{c}' => output.push_str("\\f"),
        '\n' => output.push_str("\\n"),
        '\r' => output.push_str("\\r"),
        '\t' => output.push_str("\\t"),
        '\u{b}' => output.push_str("\\v"),
        '\\' => output.push_str("\\\\"),
        _ if character == quote => output.extend(['\\', quote]),
        _ if is_printable(character) && (!ascii || character.is_ascii()) => output.push(character),
        '\0'..' ' | '\u{7f}' => output.extend([format!("\\x{:02x}", u32::from(character))]),
        '\u{80}'..='\u{ffff}' => output.extend([format!("\\u{:04x}", u32::from(character))]),
        _ => output.extend([format!("\\U{:08x}", u32::from(character))]),
    }
}
