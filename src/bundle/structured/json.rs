//! JSON with numbers as they are written.
//!
//! `serde_json` hands numbers over as objects with a name of its own when they are to be exact, so that an object with
//! that name in a file would pass for a number. It reads the scalars here, and we read what is around them.

use std::{borrow::Cow, collections::BTreeMap};

use serde::de::IgnoredAny;

use super::{Unreadable, Value};

/// Data nested deeper can't be loaded, either.
const MAX_DEPTH: usize = 128;

/// The most values of one text. Each takes up to a hundred bytes, and what is read here need not be signed.
const MAX_VALUES: usize = 1 << 24;

/// Reads a text that is one value. A name twice in an object: the last counts, as in OPA.
pub(super) fn parse(text: &str) -> Result<Value<'_>, Unreadable> {
    let mut reader = Reader { text, rest: text, values: 0 };
    let value = reader.value(MAX_DEPTH)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.fault("more after the value")),
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Unreadable> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.fault("more than 16,777,216 values"));
        }
        match self.peek() {
            Some('{' | '[') if depth == 0 => Err(self.fault("nested too deep")),
            Some('{') => self.object(depth - 1),
            Some('[') => self.array(depth - 1),
            Some('"') => self.string().map(Value::Text),
            Some(_) => self.plain(),
            None => Err(self.fault("the text ends too early")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, Unreadable> {
        let mut members = BTreeMap::new();
        self.skip();
        if self.take('}') {
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek() != Some('"') {
                return Err(self.fault("a name was expected"));
            }
            let name = self.string()?;
            if !self.take(':') {
                return Err(self.fault("`:` was expected"));
            }
            let value = self.value(depth)?;
            members.insert(name, value);
            if self.take('}') {
                return Ok(Value::Object(members));
            }
            if !self.take(',') {
                return Err(self.fault("`,` or `}` was expected"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, Unreadable> {
        let mut values = Vec::new();
        self.skip();
        if self.take(']') {
            return Ok(Value::Array(values));
        }
        loop {
            values.push(self.value(depth)?);
            if self.take(']') {
                return Ok(Value::Array(values));
            }
            if !self.take(',') {
                return Err(self.fault("`,` or `]` was expected"));
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Unreadable> {
        let mut escaped = false;
        let end = self.rest.bytes().enumerate().skip(1).find(|(_, byte)| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        let quoted = end.and_then(|(at, _)| self.split(at + 1)).ok_or_else(|| self.fault("a string does not end"))?;
        let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        if inside.bytes().all(|byte| byte != b'\\' && byte >= 0x20) {
            return Ok(Cow::from(inside));
        }
        serde_json::from_str::<String>(quoted).map(Cow::from).map_err(|_| self.fault("a string is wrong before this"))
    }

    /// A number, or one of the three words.
    fn plain(&mut self) -> Result<Value<'a>, Unreadable> {
        let end = self.rest.bytes().position(|byte| b",:]}[{\" \t\r\n".contains(&byte)).unwrap_or(self.rest.len());
        let token = self.split(end).unwrap_or_default();
        match serde_json::from_str::<IgnoredAny>(token) {
            Ok(_) => Ok(Value::Plain(Cow::from(token))),
            Err(_) => Err(self.fault("no value before this")),
        }
    }

    /// What comes next, past white space.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.skip();
        }
        is_next
    }

    fn skip(&mut self) {
        let mut rest = self.rest.chars();
        rest.next();
        self.rest = rest.as_str();
    }

    fn split(&mut self, at: usize) -> Option<&'a str> {
        let (before, after) = self.rest.split_at_checked(at)?;
        self.rest = after;
        Some(before)
    }

    fn fault(&self, what: &str) -> Unreadable {
        Unreadable(format!("not JSON: {what}, at byte {}", self.text.len() - self.rest.len()))
    }
}
