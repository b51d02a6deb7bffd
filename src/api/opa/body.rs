//! A request's body to a document: of bounded size, also once it is decompressed, in bounded time.

mod gzip;

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use yaml_serde::Value as Yaml;

use super::{
    Limits,
    fault::{Fault, INVALID_PARAMETER},
};
use crate::{
    api::{authzen::request, caller::Unpacked, deadline::Deadline, json, status::CallError},
    decision::{MAX_DEPTH, Object, Value, yaml},
};

/// The bytes of a body, decompressed, with the room that they take.
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    _room: Option<Unpacked>,
}

/// Reads a body.
pub(super) async fn text(request: Request, limits: Limits, deadline: Deadline) -> Result<(HeaderMap, Text), Fault> {
    let limit = limits.max_body_bytes;
    let too_large = || Fault::from(CallError::MessageTooLarge { limit, setting: "http.max_body_bytes" });
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // Who waits for a go-ahead has sent nothing yet.
    if announced.is_some_and(|length| length > limit as u64) && parts.headers.contains_key(EXPECT) {
        return Err(too_large());
    }
    let gzip = is_gzip(&parts.headers)?;
    let bytes = raw(body, limit, deadline).await?.ok_or_else(too_large)?;
    let text = if gzip {
        gzip::decompressed(&bytes, limit, deadline).await?.ok_or_else(too_large)?
    } else {
        Text { bytes, _room: None }
    };
    Ok((parts.headers, text))
}

async fn raw(body: Body, limit: usize, deadline: Deadline) -> Result<Option<Vec<u8>>, Fault> {
    let read = tokio::time::timeout(deadline.left()?, request::read(body, limit)).await;
    Ok(read.map_err(|_| CallError::DeadlineExceeded)??)
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Fault> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(false) };
    let is = |name: &str| coding.as_bytes().eq_ignore_ascii_case(name.as_bytes());
    match (is("gzip") || is("x-gzip"), is("identity"), codings.next()) {
        (true, _, None) => Ok(true),
        (_, true, None) => Ok(false),
        _ => {
            let message = "the `Content-Encoding` is not read; send `gzip` or none";
            Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_PARAMETER, message))
        }
    }
}

/// The document that a body is; `None` for an empty one. YAML where the content type has `yaml` in it, or else JSON,
/// as in OPA.
pub(super) fn document(headers: &HeaderMap, text: Text) -> Result<Option<Value>, Fault> {
    let Text { bytes, _room } = text;
    if bytes.is_empty() {
        return Ok(None);
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let read = if kind.to_ascii_lowercase().contains("yaml") { of_yaml(&bytes) } else { json::any(&bytes) };
    read.map(Some).map_err(|fault| Fault::invalid(format!("body contains malformed input document: it {fault}")))
}

/// Takes `name` out of a body that is an object; a body that is `null` has no members.
pub(super) fn member(body: Option<Value>, name: &str) -> Result<(Option<Value>, Object), Fault> {
    match body {
        None | Some(Value::Null) => Ok((None, Object::new())),
        Some(Value::Object(mut members)) => Ok((members.remove(name), members)),
        Some(_) => Err(Fault::invalid("body contains malformed input document: it is not an object")),
    }
}

/// One YAML document. Keys must be strings, and tags say nothing that policies know.
fn of_yaml(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    // Each alias costs all that it stands for again.
    if has_alias(text) {
        return Err("has an alias, or what looks like one; write out what it stands for".to_owned());
    }
    let document: Yaml = yaml_serde::from_str(text).map_err(|error| format!("is not usable YAML: {error}"))?;
    plain(&document, 0)?;
    // OPA's words and numbers are those of YAML 1.1.
    yaml::parse_only(text).map_err(|fault| format!("is not usable YAML: {}", fault.cause))
}

/// Whether a text may have anchors and aliases. In doubt it has: only what can begin a token counts.
fn has_alias(text: &str) -> bool {
    let begins = |mark: char| {
        let mut before = ' ';
        text.chars().any(|letter| {
            let found = letter == mark && !before.is_ascii_alphanumeric() && before != '/';
            before = letter;
            found
        })
    };
    begins('&') && begins('*')
}

/// Whether there is nothing in it that two readers may take otherwise: keys that are no strings, and tags.
fn plain(document: &Yaml, depth: usize) -> Result<(), String> {
    // As deep as a body in JSON: the input, in one object.
    if depth > MAX_DEPTH + 1 {
        return Err(format!("nests deeper than {MAX_DEPTH} levels"));
    }
    match document {
        Yaml::Null | Yaml::Bool(_) | Yaml::String(_) | Yaml::Number(_) => Ok(()),
        Yaml::Sequence(items) => items.iter().try_for_each(|item| plain(item, depth + 1)),
        Yaml::Mapping(members) => members.iter().try_for_each(|(name, member)| match name {
            Yaml::String(_) => plain(member, depth + 1),
            _ => Err("has a key that is no string".to_owned()),
        }),
        Yaml::Tagged(_) => Err("has a tag".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        of_yaml(text.as_bytes()).map(|value| json::written(&value).to_string())
    }

    #[test]
    fn yaml_is_read_exactly_or_not_at_all() {
        let whole =
            "input:\n  \"n\": 9007199254740993\n  u: 18446744073709551615\n  f: 0.5\n  s: \"1\"\n  l: [true, ~]\n";
        let wanted = r#"{"input":{"f":0.5,"l":[true,null],"n":9007199254740993,"s":"1","u":18446744073709551615}}"#;
        assert_eq!(read(whole).unwrap(), wanted);
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (before, name) in ('a'..'j').zip('b'..='j') {
            let again = format!("*{before}");
            bomb.extend([format!("{name}: &{name} [{again}, {again}, {again}, {again}, {again}, {again}, {again}]\n")]);
        }
        for refused in ["a: 1\na: 2", "1: 2", "a: .nan", "a: .inf", "a: !t 1", "a: [", deep.as_str(), bomb.as_str()] {
            assert!(read(refused).is_err(), "{refused}");
        }
        assert!(of_yaml(b"a: \xff").is_err());
        // Each of many aliases stands for much.
        let flat = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(1_000), "*a,".repeat(1_000));
        assert!(read(&flat).unwrap_err().contains("alias"));
        assert_eq!(read("a: no\nb: 'no'\nc: 010").unwrap(), r#"{"a":false,"b":"no","c":8}"#);
        assert_eq!(read("url: http://h/?a=1&b=2\nglob: a*").unwrap(), r#"{"glob":"a*","url":"http://h/?a=1&b=2"}"#);
    }
}
