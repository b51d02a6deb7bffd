//! Records to JSON: Verdict's own shape, and that of OPA's decision log.

mod json;
mod native;
mod opa;

use self::json::Json;
use super::{config::Format, log::Identity, record::Record};
use crate::decision::{Revision, Value};

/// The name and version of the record's schema.
pub(super) const SCHEMA: &str = "verdict.decision.v1";

/// A record as one line, without its end.
pub(super) fn line(record: &Record, format: Format, identity: &Identity) -> Vec<u8> {
    let mut line = Vec::with_capacity(1024);
    let written = match format {
        Format::Verdict => serde_json::to_writer(&mut line, &native::native(record)),
        Format::Opa => serde_json::to_writer(&mut line, &opa::opa(record, identity)),
    };
    // What is written has no errors of its own, and a Vec takes everything; a number that is none would be a bug.
    if written.is_err() {
        line.clear();
    }
    line
}

/// A value's JSON.
pub(super) fn value(value: &Value) -> Vec<u8> {
    serde_json::to_vec(&Json(value)).unwrap_or_default()
}

/// A revision as it stands in Verdict's own shape.
pub(super) fn revision(revision: &Revision) -> Vec<u8> {
    serde_json::to_vec(&native::Revision::of(revision)).unwrap_or_default()
}
