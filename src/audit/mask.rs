//! The field rules of a sink: remove, replace, and keyed hashes by which records of one person can still be joined.

use std::fmt::Write as _;

use aws_lc_rs::hmac;

use super::{
    config::{FieldMask, Mask},
    encode,
    record::Record,
};
use crate::decision::Value;

/// Does what the sink's field rules say.
pub(super) fn apply(mask: &Mask, record: &mut Record) {
    for rule in &mask.fields {
        match rule {
            FieldMask::Remove(pointer) => record.remove(pointer.parts(), true),
            FieldMask::Replace(pointer, with) => record.replace(pointer, &mut |_| with.as_str().into()),
            FieldMask::Hash(pointer) => record.replace(pointer, &mut |value| pseudonym(mask.key.as_ref(), value)),
        }
    }
}

/// HMAC-SHA-256 of a text's bytes, or of the JSON of what is no text.
fn pseudonym(key: Option<&hmac::Key>, value: &Value) -> Value {
    // Configurations with hashes and without a key are refused; nothing readable may be left if one came through.
    let Some(key) = key else { return "[redacted]".into() };
    let tag = match value {
        Value::String(text) => hmac::sign(key, text.as_bytes()),
        other => hmac::sign(key, &encode::value(other)),
    };
    let mut text = String::from("hmac-sha256:");
    for byte in tag.as_ref() {
        // A String takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    Value::String(text)
}
