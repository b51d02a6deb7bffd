//! JSON into a buffer, where each text and name from outside is looked at first.

use std::{
    cell::RefCell,
    io::Write as _,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    NotPlain, Written,
    names::{Names, Seen},
};
use crate::{
    audit::redact::{self, Secrets},
    decision::{Number, Object, Value},
};

pub(super) struct Writer<'w> {
    out: &'w mut Vec<u8>,
    names: &'w Names,
    most: usize,
}

/// Whether a member of an object was written.
pub(super) struct Members(bool);

thread_local! {
    /// A second as text, up to its fraction: there are many decisions in each.
    static SECOND: RefCell<(u64, String)> = RefCell::default();
}

impl<'w> Writer<'w> {
    pub(super) fn new(out: &'w mut Vec<u8>, names: &'w Names, most: usize) -> Self {
        out.clear();
        Self { out, names, most }
    }

    /// Whether it is not too long.
    #[inline]
    pub(super) fn fits(&self) -> bool {
        self.out.len() <= self.most
    }

    /// JSON of our own.
    #[inline]
    pub(super) fn raw(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    pub(super) fn comma(&mut self, another: bool) {
        if another {
            self.out.push(b',');
        }
    }

    /// A text that no secret can be in.
    pub(super) fn trusted(&mut self, text: &str) {
        self.quote(text, redact::look(text));
    }

    /// A text from outside, unless it has a secret in it, or might.
    pub(super) fn text(&mut self, text: &str) -> Written {
        let look = redact::look(text);
        if text.len() > self.most || look.suspects(text) && Secrets::new(self.names.sensitive()).credential(text) {
            return Err(NotPlain);
        }
        self.quote(text, look);
        Ok(())
    }

    #[inline]
    fn quote(&mut self, text: &str, look: redact::Look) {
        if look.escapes() {
            // A Vec takes everything.
            let _ = serde_json::to_writer(&mut *self.out, text);
            return;
        }
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    /// A member's name and its colon, unless it is a sensitive one.
    fn name(&mut self, name: &str) -> Written {
        match self.names.see(name) {
            Seen::Harmless => {
                self.out.reserve(name.len() + 3);
                self.out.push(b'"');
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            Seen::Odd => {
                self.text(name)?;
                self.out.push(b':');
            }
            Seen::Sensitive => return Err(NotPlain),
        }
        Ok(())
    }

    pub(super) fn value(&mut self, value: &Value) -> Written {
        match value {
            Value::Null => self.raw("null"),
            Value::Bool(true) => self.raw("true"),
            Value::Bool(false) => self.raw("false"),
            Value::Number(Number::Int(number)) => self.number(*number),
            Value::Number(Number::UInt(number)) => self.number(*number),
            Value::Number(Number::Float(number)) => {
                serde_json::to_writer(&mut *self.out, number).map_err(|_| NotPlain)?;
            }
            // Rare, and checked on the long way.
            Value::Number(Number::Decimal(_)) => return Err(NotPlain),
            Value::String(text) => self.text(text)?,
            Value::Array(items) => {
                self.out.push(b'[');
                for (number, item) in items.iter().enumerate() {
                    self.comma(number > 0);
                    self.value(item)?;
                }
                self.out.push(b']');
            }
            Value::Object(object) => self.object(object)?,
        }
        if self.fits() { Ok(()) } else { Err(NotPlain) }
    }

    pub(super) fn object(&mut self, object: &Object) -> Written {
        self.out.push(b'{');
        for (number, (name, value)) in object.iter().enumerate() {
            self.comma(number > 0);
            self.name(name)?;
            self.value(value)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// The member `properties` after another one, if there are any.
    pub(super) fn properties(&mut self, properties: &Object) -> Written {
        if properties.is_empty() {
            return Ok(());
        }
        self.raw(r#","properties":"#);
        self.object(properties)
    }

    /// A list after its head, if it has items.
    pub(super) fn list<T>(&mut self, head: &str, items: &[T], write: impl Fn(&mut Self, &T) -> Written) -> Written {
        if items.is_empty() {
            return Ok(());
        }
        self.raw(head);
        for (number, item) in items.iter().enumerate() {
            self.comma(number > 0);
            write(self, item)?;
        }
        self.out.push(b']');
        if self.fits() { Ok(()) } else { Err(NotPlain) }
    }

    /// Begins an object whose empty members are left out.
    pub(super) fn members(&mut self) -> Members {
        self.out.push(b'{');
        Members(false)
    }

    #[inline]
    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.bytes(itoa::Buffer::new().format(number).as_bytes());
    }

    pub(super) fn nanos(&mut self, time: Duration) {
        self.number(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn seconds(&mut self, time: Duration) {
        self.number(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    }

    /// The time as RFC 3339 has it, with nine digits of its second's fraction.
    pub(super) fn time(&mut self, time: SystemTime) -> Written {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| NotPlain)?;
        SECOND.with_borrow_mut(|(second, text)| {
            if *second != since.as_secs() || text.is_empty() {
                let whole = DateTime::<Utc>::from(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()));
                *text = whole.to_rfc3339_opts(SecondsFormat::Secs, true);
                text.truncate(text.len().saturating_sub(1));
                *second = since.as_secs();
            }
            self.out.extend_from_slice(text.as_bytes());
        });
        let mut buffer = itoa::Buffer::new();
        let fraction = buffer.format(since.subsec_nanos());
        self.out.push(b'.');
        self.out.resize(self.out.len() + 9 - fraction.len(), b'0');
        self.bytes(fraction.as_bytes());
        self.out.push(b'Z');
        Ok(())
    }

    pub(super) fn hex(&mut self, bytes: &[u8]) {
        crate::audit::chain::write_hex(bytes, self.out);
    }

    pub(super) fn address(&mut self, address: SocketAddr) {
        let SocketAddr::V4(address) = address else {
            // A Vec takes everything.
            let _ = write!(self.out, "{address}");
            return;
        };
        for (number, octet) in address.ip().octets().into_iter().enumerate() {
            if number > 0 {
                self.out.push(b'.');
            }
            self.number(octet);
        }
        self.out.push(b':');
        self.number(address.port());
    }
}

impl Members {
    /// Begins another member.
    pub(super) fn next(&mut self, to: &mut Writer<'_>, head: &str) {
        to.comma(self.0);
        self.0 = true;
        to.raw(head);
    }

    pub(super) fn text(&mut self, to: &mut Writer<'_>, head: &str, text: &str) -> Written {
        if text.is_empty() {
            return Ok(());
        }
        self.next(to, head);
        to.text(text)
    }

    pub(super) fn object(&mut self, to: &mut Writer<'_>, head: &str, object: &Object) -> Written {
        if object.is_empty() {
            return Ok(());
        }
        self.next(to, head);
        to.object(object)
    }
}
