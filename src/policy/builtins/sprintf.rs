//! `sprintf`: Go's `fmt.Sprintf` for the values that a policy can have.

mod number;

use std::fmt::Write as _;

use num_bigint::BigInt;
use regorus::Value as Rego;

use super::{
    Failure, Function,
    operand::{Answer, array, string, text, whole},
};

pub(super) const ALL: &[Function] = &[Function { name: "sprintf", arity: 2, call: sprintf }];

/// The largest width, precision and index, as in Go.
const MAX_NUMBER: i64 = 1_000_000;
/// The most bytes that a call may make.
const MAX_BYTES: usize = 16 << 20;

/// An argument, as the type of Go that OPA makes it.
enum Argument {
    Int(i64),
    Big(BigInt),
    Float(f64),
    Text(String),
}

impl Argument {
    fn new(value: &Rego) -> Self {
        match value {
            Rego::String(text) => Self::Text(text.to_string()),
            Rego::Number(number) => match (number.as_i64(), whole(value)) {
                (Some(number), _) => Self::Int(number),
                (None, Some(number)) => {
                    let digits = number.magnitude().to_string();
                    let short = digits.trim_end_matches('0');
                    // Beyond a double's digits, such a number was surely written with an exponent, which for Go is a
                    // double if it has a point, and else a text.
                    if digits.len() > 300 && short.len() < 20 {
                        let sign = if value.as_f64().is_ok_and(|double| double < 0.0) { "-" } else { "" };
                        return match value.as_f64() {
                            Ok(double) if short.len() > 1 && double.is_finite() => Self::Float(double),
                            _ => {
                                let (first, rest) = short.split_at(1);
                                let point = if rest.is_empty() { "" } else { "." };
                                Self::Text(format!("{sign}{first}{point}{rest}e{}", digits.len() - 1))
                            }
                        };
                    }
                    Self::Big(number)
                }
                (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            other => Self::Text(super::term::written(other)),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "int64",
            Self::Big(_) => "*big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }
}

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the format")]
struct Spec {
    sharp: bool,
    zero: bool,
    plus: bool,
    minus: bool,
    space: bool,
    /// `%#v`.
    go_syntax: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

impl Spec {
    /// `text` in the width, filled with what it is to be filled with.
    fn pad(&self, text: &str) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if self.minus {
            return text.to_owned() + &" ".repeat(missing);
        }
        (if self.zero { "0" } else { " " }).repeat(missing) + text
    }

    fn pad_with_spaces(mut self, text: &str) -> String {
        self.zero = false;
        self.pad(text)
    }
}

/// A format as it is read, and its arguments.
struct Printer<'a> {
    format: &'a [u8],
    at: usize,
    arguments: &'a [Argument],
    argument: usize,
    reordered: bool,
    good: bool,
    made: String,
}

fn sprintf(operands: &[Rego]) -> Answer {
    let format = text(operands, 0)?;
    let arguments: Vec<Argument> = array(operands, 1)?.iter().map(Argument::new).collect();
    let mut printer = Printer {
        format: format.as_bytes(),
        at: 0,
        arguments: &arguments,
        argument: 0,
        reordered: false,
        good: true,
        made: String::with_capacity(format.len()),
    };
    printer.print(format)?;
    Ok(string(printer.made))
}

impl Printer<'_> {
    fn print(&mut self, format: &str) -> Result<(), Failure> {
        loop {
            let rest = format.get(self.at..).unwrap_or_default();
            let text = rest.find('%').unwrap_or(rest.len());
            self.made.push_str(rest.get(..text).unwrap_or_default());
            self.at += text;
            if self.at >= self.format.len() {
                break;
            }
            self.at += 1;
            self.verb(format);
            if self.made.len() > MAX_BYTES {
                return Err(Failure::Spent(format!("the result would have more than {MAX_BYTES} bytes")));
            }
        }
        if !self.reordered && self.argument < self.arguments.len() {
            let extra = self.arguments.get(self.argument..).unwrap_or_default().iter();
            let extra: Vec<_> =
                extra.map(|extra| format!("{}={}", extra.kind(), print(extra, 'v', Spec::default()))).collect();
            self.made.extend(["%!(EXTRA ", &extra.join(", "), ")"]);
        }
        Ok(())
    }

    fn verb(&mut self, format: &str) {
        self.good = true;
        let mut spec = Spec::default();
        while let Some(flag) = self.peek() {
            match flag {
                b'#' => spec.sharp = true,
                b'0' => spec.zero = true,
                b'+' => spec.plus = true,
                b'-' => spec.minus = true,
                b' ' => spec.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut after_index = self.index();
        if self.take(b'*') {
            match self.number_argument() {
                Some(width) => {
                    if width < 0 {
                        (spec.minus, spec.zero) = (true, false);
                    }
                    spec.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.made.push_str("%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            spec.width = self.digits();
            self.good &= !(after_index && spec.width.is_some());
        }
        if self.at + 1 < self.format.len() && self.take(b'.') {
            self.good &= !after_index;
            after_index = self.index();
            if self.take(b'*') {
                spec.precision = self.number_argument().and_then(|precision| usize::try_from(precision).ok());
                if spec.precision.is_none() {
                    self.made.push_str("%!(BADPREC)");
                }
                after_index = false;
            } else {
                spec.precision = Some(self.digits().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = format.get(self.at..).and_then(|rest| rest.chars().next()) else {
            self.made.push_str("%!(NOVERB)");
            return;
        };
        self.at += verb.len_utf8();
        if verb == '%' {
            self.made.push('%');
        } else if !self.good {
            self.made.extend(["%!", &*verb.to_string(), "(BADINDEX)"]);
        } else if let Some(argument) = self.arguments.get(self.argument) {
            if matches!(verb, 'v' | 'w') {
                (spec.go_syntax, spec.sharp) = (spec.sharp, false);
                spec.plus &= matches!(argument, Argument::Big(_));
            }
            self.made.push_str(&print(argument, verb, spec));
            self.argument += 1;
        } else {
            self.made.extend(["%!", &*verb.to_string(), "(MISSING)"]);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Digits, if any; those of too large a number end the format, as in Go.
    fn digits(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            if number.is_some_and(|number| number > MAX_NUMBER) {
                self.at = self.format.len();
                return None;
            }
            number = Some(number.unwrap_or(0) * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// An index like `[3]`, and whether it was one.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = self.format.get(self.at..).unwrap_or_default();
        let close = if rest.len() < 3 { None } else { rest.iter().position(|byte| *byte == b']') };
        let Some(close) = close else {
            self.at += 1;
            self.good = false;
            return false;
        };
        let digits = rest.get(1..close).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<usize>().ok()).flatten();
        self.at += close + 1;
        match number.and_then(|number| number.checked_sub(1)) {
            Some(index) if index < self.arguments.len() => {
                self.argument = index;
                true
            }
            _ => {
                self.good = false;
                number.is_some()
            }
        }
    }

    fn number_argument(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.argument)?;
        self.argument += 1;
        match argument {
            Argument::Int(number) if number.unsigned_abs() <= MAX_NUMBER.unsigned_abs() => Some(*number),
            _ => None,
        }
    }
}

/// One argument by one verb.
fn print(argument: &Argument, verb: char, spec: Spec) -> String {
    if verb == 'T' {
        return in_precision(argument.kind(), spec);
    }
    let printed = match argument {
        Argument::Int(value) => number::int(*value, verb, spec),
        Argument::Big(value) => Some(number::big(value, verb, spec)),
        Argument::Float(value) => number::float(*value, verb, spec),
        Argument::Text(text) => match verb {
            'v' if spec.go_syntax => Some(spec.pad(&quote(text, spec))),
            'v' | 's' => Some(in_precision(text, spec)),
            'q' => {
                let text: String = text.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
                Some(spec.pad(&quote(&text, spec)))
            }
            'x' | 'X' => Some(number::hex_text(text, verb, spec)),
            _ => None,
        },
    };
    printed.unwrap_or_else(|| format!("%!{verb}({}={})", argument.kind(), print(argument, 'v', spec)))
}

fn in_precision(text: &str, spec: Spec) -> String {
    match spec.precision {
        Some(precision) => spec.pad(&text.chars().take(precision).collect::<String>()),
        None => spec.pad(text),
    }
}

/// A text in quotes, as Go's `strconv.Quote` makes it.
fn quote(text: &str, spec: Spec) -> String {
    if spec.sharp && !text.contains(|c: char| (c.is_control() && c != '\t') || c == '`' || c == '\u{feff}') {
        return format!("`{text}`");
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        push_escaped(&mut quoted, character, '"', spec.plus);
    }
    quoted.push('"');
    quoted
}

fn push_escaped(quoted: &mut String, character: char, quote: char, ascii: bool) {
    let short = match character {
        '\x07' => 'a',
        '\x08' => 'b',
        '\x0c' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\x0b' => 'v',
        '\\' => '\\',
        other if other == quote => quote,
        other if is_printed(other) && (other.is_ascii() || !ascii) => {
            quoted.push(other);
            return;
        }
        other => {
            let code = u32::from(other);
            let _ = match code {
                0..0x20 | 0x7f => write!(quoted, "\\x{code:02x}"),
                0..0x1_0000 => write!(quoted, "\\u{code:04x}"),
                _ => write!(quoted, "\\U{code:08x}"),
            };
            return;
        }
    };
    quoted.push('\\');
    quoted.push(short);
}

/// Whether Go prints a character as it is.
fn is_printed(character: char) -> bool {
    // Rust escapes what is not printed; after a letter, a mark is.
    character == ' '
        || (!character.is_control()
            && !character.is_whitespace()
            && !format!("a{character}").escape_debug().to_string().contains("\\u{"))
}
