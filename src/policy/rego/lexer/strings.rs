//! Strings and templates: where they end, and what their escapes stand for.

use super::{Kind, Lexer, Template};

impl Lexer<'_> {
    pub(super) fn string(&mut self) -> Kind {
        let start = self.at;
        self.at += 1;
        match self.quoted(false) {
            Ok(_) => Kind::String,
            Err(cause) => self.illegal(start, cause),
        }
    }

    pub(super) fn raw_string(&mut self) -> Kind {
        let start = self.at;
        let rest = self.text.get(start + 1..).unwrap_or_default();
        if let Some(length) = rest.find('`') {
            self.at = start + length + 2;
            Kind::RawString
        } else {
            self.at = self.text.len();
            self.fault(start, start + 1, "this string has no end");
            Kind::Illegal
        }
    }

    /// A template's text to its next expression or its end; `opening` bytes are its quote or the brace before.
    pub(super) fn template(&mut self, raw: bool, opening: usize) -> Kind {
        let start = self.at;
        self.at += opening;
        let ended = if raw { self.raw_template() } else { self.quoted(true) };
        match ended {
            Ok(true) => Kind::TemplateEnd,
            Ok(false) => {
                self.templates.push(Template { raw, braces: 0 });
                Kind::TemplatePart
            }
            Err(cause) => self.illegal(start, cause),
        }
    }

    /// To the quote after it (`true`), or to the brace that opens a template's expression (`false`).
    fn quoted(&mut self, template: bool) -> Result<bool, &'static str> {
        let mut fault = None;
        let end = loop {
            match (self.peek(0), self.peek(1)) {
                (None | Some(b'\n'), _) => return Err("this string has no end"),
                (Some(b'"'), _) => break true,
                (Some(b'{'), _) if template => break false,
                (Some(b'\\'), Some(b'\\' | b'"' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => self.at += 2,
                (Some(b'\\'), Some(b'{')) if template => self.at += 2,
                (Some(b'\\'), Some(b'u'))
                    if (2..6).all(|ahead| self.peek(ahead).is_some_and(|byte| byte.is_ascii_hexdigit())) =>
                {
                    self.at += 6;
                }
                (Some(b'\\'), _) => {
                    fault = Some("this string has an escape that means nothing");
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        };
        self.at += 1;
        fault.map_or(Ok(end), Err)
    }

    fn raw_template(&mut self) -> Result<bool, &'static str> {
        loop {
            let end = match (self.peek(0), self.peek(1)) {
                (None, _) => return Err("this string has no end"),
                (Some(b'`'), _) => true,
                (Some(b'{'), _) => false,
                (Some(b'\\'), Some(b'{')) => {
                    self.at += 2;
                    continue;
                }
                _ => {
                    self.at += 1;
                    continue;
                }
            };
            self.at += 1;
            return Ok(end);
        }
    }

    fn illegal(&mut self, start: usize, cause: &str) -> Kind {
        // At its start: the rest of the line, or of the file, is rarely what is wrong.
        let end = if self.at >= self.text.len() { start + 1 } else { self.at };
        self.fault(start, end, cause);
        Kind::Illegal
    }
}

/// What a string's text between its quotes stands for; `None` where OPA refuses it: a control character beside an
/// escape. `template` where `\{` is an escape.
pub(in crate::policy::rego) fn unescape(text: &str, template: bool) -> Option<String> {
    let mut value = String::with_capacity(text.len());
    let mut rest = text;
    // OPA takes control characters, but not beside an escape: it has JSON's rules only there.
    let mut escaped = false;
    while let Some(at) = rest.find('\\') {
        let (before, from) = rest.split_at_checked(at)?;
        value.push_str(before);
        let mut after = from.chars();
        after.next();
        let character = after.next()?;
        rest = after.as_str();
        if character == '{' && template {
            value.push('{');
            continue;
        }
        escaped = true;
        value.push(match character {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => unicode(&mut rest)?,
            other => other,
        });
    }
    value.push_str(rest);
    let control = text.contains(|char: char| char < ' ');
    (!(escaped && control)).then_some(value)
}

/// The character of an escape whose `\u` is passed, with the other half of a pair; half a pair alone is U+FFFD.
fn unicode(rest: &mut &str) -> Option<char> {
    let first = hex(rest)?;
    *rest = rest.get(4..)?;
    if !(0xd800..0xe000).contains(&first) {
        return char::from_u32(first);
    }
    let second = rest.strip_prefix("\\u").and_then(hex).filter(|second| (0xdc00..0xe000).contains(second));
    match second {
        Some(second) if first < 0xdc00 => {
            *rest = rest.get(6..)?;
            char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        }
        _ => Some(char::REPLACEMENT_CHARACTER),
    }
}

fn hex(text: &str) -> Option<u32> {
    text.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok())
}
