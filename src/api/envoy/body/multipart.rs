//! `multipart/form-data` (RFC 7578).

use std::{collections::BTreeMap, convert::Infallible};

use bytes::Bytes;
use futures::stream;
use multer::Multipart;

use super::{fault, json};
use crate::{api::status::FieldViolation, decision::Value};

/// The parts by their names, each a list; parts of JSON are read, others are text. Null without a boundary.
pub(super) async fn parsed(content_type: &str, body: &[u8]) -> Result<Value, FieldViolation> {
    let Ok(boundary) = multer::parse_boundary(content_type) else { return Ok(Value::Null) };
    let body = Bytes::copy_from_slice(body);
    let mut parts = Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let malformed = |_| fault("is no multipart body that can be read");
    let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    while let Some(part) = parts.next_field().await.map_err(malformed)? {
        let Some(name) = part.name().filter(|name| !name.is_empty()).map(str::to_owned) else { continue };
        let is_json = part.content_type().is_some_and(|kind| kind.essence_str().contains("application/json"));
        let content = part.bytes().await.map_err(malformed)?;
        // A file that is uploaded is seldom text.
        let value =
            if is_json { json(&content)? } else { Value::String(String::from_utf8_lossy(&content).into_owned()) };
        values.entry(name).or_default().push(value);
    }
    Ok(Value::Object(values.into_iter().map(|(name, values)| (name, Value::Array(values))).collect()))
}
