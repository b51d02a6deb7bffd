//! A request's body to an object (§10.1.1): JSON by its content type, of bounded size, in bounded time.

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use http_body_util::BodyExt as _;

use crate::{
    api::{deadline::Deadline, json, status::CallError},
    decision::Object,
};

/// What is read and thrown away of a body that is too large, so that a client that sends all of it before it reads
/// gets to the answer.
const DISCARD: usize = 32 << 20;

/// Reads the body.
pub(in crate::api) async fn object(request: Request, limit: usize, deadline: Deadline) -> Result<Object, CallError> {
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let too_large = || CallError::MessageTooLarge { limit, setting: "http.max_body_bytes" };
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // Who waits for a go-ahead has sent nothing yet.
    if announced.is_some_and(|length| length > limit as u64) && parts.headers.contains_key(EXPECT) {
        return Err(too_large());
    }
    let bytes = tokio::time::timeout(deadline.left()?, read(body, limit))
        .await
        .map_err(|_| CallError::DeadlineExceeded)??
        .ok_or_else(too_large)?;
    if bytes.is_empty() {
        return Err(CallError::MalformedMessage("the body is empty".to_owned()));
    }
    json::object(&bytes).map_err(|fault| CallError::MalformedMessage(format!("the body {fault}")))
}

/// The bytes; `None` if there are too many.
pub(in crate::api) async fn read(mut body: Body, limit: usize) -> Result<Option<Vec<u8>>, CallError> {
    let (mut bytes, mut seen) = (Vec::<u8>::new(), 0_usize);
    // Nothing is needed of what says of itself that it is too large.
    let kept = if body.size_hint().lower() > limit as u64 { 0 } else { limit };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| CallError::MalformedMessage("the body broke off".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= kept {
            bytes.extend_from_slice(&data);
            continue;
        }
        // Nothing of it is needed any more.
        bytes = Vec::new();
        if seen > limit.saturating_add(DISCARD) {
            break;
        }
    }
    Ok((seen <= limit).then_some(bytes))
}

/// `application/json`, with any parameters. Without a content type it is refused, too: a web page can make a browser
/// send that to anyone, unasked.
fn check_type(headers: &HeaderMap) -> Result<(), CallError> {
    let refused = |fault: &str| Err(CallError::MalformedMessage(fault.to_owned()));
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let essence = types.next().and_then(|one| one.to_str().ok()).map(|one| one.split(';').next().unwrap_or_default());
    if types.next().is_some() || !essence.is_some_and(|one| one.trim().eq_ignore_ascii_case("application/json")) {
        return refused("the `Content-Type` is not `application/json`");
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return refused("a `Content-Encoding` is not read");
    }
    Ok(())
}
