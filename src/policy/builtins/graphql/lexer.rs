//! A GraphQL text to tokens. Comments are tokens, too: the syntax tree has them.

use std::borrow::Cow;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Bang,
    Dollar,
    Amp,
    ParenL,
    ParenR,
    Spread,
    Colon,
    Equals,
    At,
    BracketL,
    BracketR,
    BraceL,
    BraceR,
    Pipe,
    Name,
    Int,
    Float,
    String,
    Block,
    Comment,
}

/// A token; `text` is empty for punctuation, and the meaning of a string, not its spelling.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: Cow<'a, str>,
    pub(super) line: usize,
}

/// Reads tokens one after the other.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The next token; [`Kind::End`] at the end of the text.
    pub(super) fn token(&mut self) -> Result<Token<'a>, String> {
        self.skip_ignored();
        let line = self.line;
        let token = |kind, text: &'a str| Ok(Token { kind, text: Cow::Borrowed(text), line });
        let Some(byte) = self.byte(0) else { return token(Kind::End, "") };
        let punctuation = match byte {
            b'!' => Some(Kind::Bang),
            b'$' => Some(Kind::Dollar),
            b'&' => Some(Kind::Amp),
            b'(' => Some(Kind::ParenL),
            b')' => Some(Kind::ParenR),
            b':' => Some(Kind::Colon),
            b'=' => Some(Kind::Equals),
            b'@' => Some(Kind::At),
            b'[' => Some(Kind::BracketL),
            b']' => Some(Kind::BracketR),
            b'{' => Some(Kind::BraceL),
            b'}' => Some(Kind::BraceR),
            b'|' => Some(Kind::Pipe),
            _ => None,
        };
        if let Some(kind) = punctuation {
            self.at += 1;
            return token(kind, "");
        }
        match byte {
            b'.' if self.rest().starts_with("...") => {
                self.at += 3;
                token(Kind::Spread, "")
            }
            b'#' => {
                let end = |character: char| character < ' ' && character != '\t';
                let text = self.take_until(end);
                token(Kind::Comment, text)
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                let text = self.take_until(|character| !(character.is_ascii_alphanumeric() || character == '_'));
                token(Kind::Name, text)
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'"' if self.rest().starts_with("\"\"\"") => self.block(),
            b'"' => self.string(),
            _ => Err(self.fault("an unexpected character")),
        }
    }

    /// An error here.
    pub(super) fn fault(&self, cause: &str) -> String {
        format!("{cause} in line {}", self.line)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn take_until(&mut self, end: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let text = rest.get(..rest.find(end).unwrap_or(rest.len())).unwrap_or_default();
        self.at += text.len();
        text
    }

    fn skip_ignored(&mut self) {
        loop {
            match self.byte(0) {
                Some(b'\t' | b' ' | b',') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                }
                Some(b'\r') => {
                    self.at += if self.byte(1) == Some(b'\n') { 2 } else { 1 };
                    self.line += 1;
                }
                _ if self.rest().starts_with('\u{feff}') => self.at += '\u{feff}'.len_utf8(),
                _ => return,
            }
        }
    }

    fn digits(&mut self) -> usize {
        self.take_until(|character| !character.is_ascii_digit()).len()
    }

    fn number(&mut self) -> Result<Token<'a>, String> {
        let start = self.at;
        let mut kind = Kind::Int;
        self.at += usize::from(self.byte(0) == Some(b'-'));
        let first = self.byte(0);
        let length = self.digits();
        if length == 0 || (first == Some(b'0') && length > 1) {
            return Err(self.fault("an invalid number"));
        }
        if self.byte(0) == Some(b'.') {
            self.at += 1;
            kind = Kind::Float;
            if self.digits() == 0 {
                return Err(self.fault("an invalid number"));
            }
        }
        if matches!(self.byte(0), Some(b'e' | b'E')) {
            self.at += 1 + usize::from(matches!(self.byte(1), Some(b'+' | b'-')));
            kind = Kind::Float;
            if self.digits() == 0 {
                return Err(self.fault("an invalid number"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(Token { kind, text: Cow::Borrowed(text), line: self.line })
    }

    fn string(&mut self) -> Result<Token<'a>, String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let special = |character: char| matches!(character, '"' | '\\') || (character < ' ' && character != '\t');
            text.push_str(self.take_until(special));
            match self.byte(0) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Token { kind: Kind::String, text: Cow::Owned(text), line: self.line });
                }
                Some(b'\\') => text.push(self.escape()?),
                None | Some(b'\n' | b'\r') => return Err(self.fault("a string that does not end")),
                Some(_) => return Err(self.fault("an invalid character in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let fault = self.fault("an invalid escape sequence");
        let (character, length) = match self.byte(1) {
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6).ok_or_else(|| fault.clone())?;
                if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(fault);
                }
                let code = u32::from_str_radix(digits, 16).map_err(|_| fault)?;
                // Half of a pair is no character, whatever follows it.
                (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
            }
            Some(byte @ (b'"' | b'/' | b'\\')) => (char::from(byte), 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            _ => return Err(fault),
        };
        self.at += length;
        Ok(character)
    }

    fn block(&mut self) -> Result<Token<'a>, String> {
        let line = self.line;
        self.at += 3;
        let mut raw = String::new();
        loop {
            let special =
                |character: char| matches!(character, '"' | '\\' | '\n') || (character < ' ' && character != '\t');
            raw.push_str(self.take_until(special));
            match self.byte(0) {
                Some(b'"') => {
                    let quotes = self.take_until(|character| character != '"').len();
                    // The last three end it.
                    if let Some(extra) = quotes.checked_sub(3) {
                        raw.extend(std::iter::repeat_n('"', extra));
                        let text = Cow::Owned(unindented(&raw));
                        return Ok(Token { kind: Kind::Block, text, line });
                    }
                    raw.extend(std::iter::repeat_n('"', quotes));
                }
                Some(b'\\') if self.rest().starts_with("\\\"\"\"") => {
                    raw.push_str("\"\"\"");
                    self.at += 4;
                }
                Some(b'\\') => {
                    raw.push('\\');
                    self.at += 1;
                }
                Some(b'\n' | b'\r') => {
                    self.at += if self.rest().starts_with("\r\n") { 2 } else { 1 };
                    raw.push('\n');
                    self.line += 1;
                }
                None => return Err(self.fault("a string that does not end")),
                Some(_) => return Err(self.fault("an invalid character in a string")),
            }
        }
    }
}

/// A block string without its common indentation and without the blank lines around it. As in gqlparser, and not in
/// GraphQL's specification, the first line counts for what is common.
fn unindented(raw: &str) -> String {
    let mut lines: Vec<&str> = raw.split('\n').collect();
    let indent = |line: &str| line.find(|character| character != ' ' && character != '\t');
    if let Some(common) = lines.iter().filter_map(|line| indent(line)).min() {
        for line in lines.iter_mut().skip(1) {
            *line = line.get(common..).unwrap_or_default();
        }
    }
    let first = lines.iter().position(|line| indent(line).is_some()).unwrap_or(lines.len());
    let last = lines.iter().rposition(|line| indent(line).is_some()).map_or(first, |last| last + 1);
    lines.get(first..last).unwrap_or_default().join("\n")
}
