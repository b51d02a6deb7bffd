//! A request's body, read as its content type says.

mod grpc;
mod multipart;

use prost_reflect::DescriptorPool;

use super::{input::Headers, path};
use crate::{
    api::{json, status::FieldViolation},
    decision::Value,
};

/// What became of a body.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parsed {
    /// What is in it; null where it was not read.
    pub(super) value: Value,
    /// Whether Envoy handed over a part of it only, which is then not read.
    pub(super) truncated: bool,
}

/// A body as Envoy hands it over.
pub(super) struct Given<'a> {
    pub(super) headers: Headers<'a>,
    /// As text, or as bytes where that is how it came.
    pub(super) body: &'a [u8],
    /// As bytes, if that is how it came.
    pub(super) raw_body: &'a [u8],
    pub(super) segments: &'a [String],
}

impl Parsed {
    fn of(value: Value) -> Self {
        Self { value, truncated: false }
    }

    fn truncated() -> Self {
        Self { value: Value::Null, truncated: true }
    }
}

/// Reads the body, or says why it can't be what its content type says. The fault quotes nothing that is in it.
pub(super) async fn parsed(given: Given<'_>, descriptors: Option<&DescriptorPool>) -> Result<Parsed, FieldViolation> {
    let Some(content_type) = given.headers.text("content-type") else { return Ok(Parsed::default()) };
    let lower = content_type.to_ascii_lowercase();
    if lower.contains("application/grpc") && !lower.contains("application/json") {
        return descriptors.map_or(Ok(Parsed::default()), |pool| grpc::parsed(given.raw_body, given.segments, pool));
    }
    let is = |kind: &str| lower.contains(kind);
    if given.body.is_empty() || !["application/json", FORM, "multipart/form-data"].into_iter().any(is) {
        return Ok(Parsed::default());
    }
    if given.headers.text("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(fault("is compressed, and so can't be looked at"));
    }
    if is_truncated(&given)? {
        return Ok(Parsed::truncated());
    }
    let value = if is("application/json") {
        json(given.body)?
    } else if is(FORM) {
        form(given.body)?
    } else {
        multipart::parsed(&content_type, given.body).await?
    };
    Ok(Parsed::of(value))
}

const FORM: &str = "application/x-www-form-urlencoded";

fn json(body: &[u8]) -> Result<Value, FieldViolation> {
    // The parser's own words may quote the body.
    json::any(body).map_err(|_| {
        fault("is no JSON that can be read: it is malformed, has a name twice in one object, or a number with more digits than policies hold")
    })
}

fn form(body: &[u8]) -> Result<Value, FieldViolation> {
    let text = std::str::from_utf8(body).map_err(|_| fault("is not UTF-8"))?;
    if !path::is_well_formed(text) {
        return Err(fault("has a `%` without two hexadecimal digits"));
    }
    Ok(path::parameters(text).into())
}

/// Whether there is more of it than Envoy handed over: by the length that the client told, or by Envoy's own word for
/// a body without one.
fn is_truncated(given: &Given<'_>) -> Result<bool, FieldViolation> {
    if let Some(length) = given.headers.text("content-length") {
        let length: i64 = length.parse().map_err(|_| FieldViolation::new("content-length", "is no number"))?;
        if usize::try_from(length).is_ok_and(|length| length > given.body.len()) {
            return Ok(true);
        }
    }
    Ok(given.headers.text("x-envoy-auth-partial-body").is_some_and(|partial| partial == "true"))
}

fn fault(description: &str) -> FieldViolation {
    FieldViolation::new("body", description)
}

#[cfg(test)]
mod tests;
