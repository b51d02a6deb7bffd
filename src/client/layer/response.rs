//! What a client is told that is refused: as much as is safe to show, in the protocol that it speaks.

use axum::http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
    request::Parts,
};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;
use tonic::{Code, Status};

use crate::client::Refusal;

/// The header with the decision's id, by which operators find why.
const DECISION_ID: &str = "verdict-decision-id";

/// The most bytes of a text: over gRPC, it travels in a header.
const LONGEST: usize = 1_000;

/// `PERMISSION_DENIED`, or `UNAVAILABLE` where there was no answer, with what is safe to show; the decision's id is in
/// the metadata (`verdict-decision-id`).
impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        let code = if refusal.is_fault() { Code::Unavailable } else { Code::PermissionDenied };
        let mut status = Self::new(code, text(refusal));
        if let Some(id) = refusal.decision_id().and_then(|id| id.parse().ok()) {
            status.metadata_mut().insert(DECISION_ID, id);
        }
        status
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

/// The response to a request with that head.
pub(super) fn refused(refusal: Refusal, parts: &Parts) -> Response<Full<Bytes>> {
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    let mut response = if parts.headers.get(CONTENT_TYPE).is_some_and(is_grpc) {
        Status::from(&refusal).into_http()
    } else {
        problem(&refusal)
    };
    response.extensions_mut().insert(refusal);
    response
}

/// Problem details (RFC 9457 §3).
fn problem(refusal: &Refusal) -> Response<Full<Bytes>> {
    let status = if refusal.is_fault() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::FORBIDDEN };
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({"title": title, "status": status.as_u16(), "detail": text(refusal)});
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(id) = refusal.decision_id().and_then(|id| HeaderValue::from_str(id).ok()) {
        response.headers_mut().insert(DECISION_ID, id);
    }
    response
}

/// What the policy has to say to the person, or that there is nothing to say.
fn text(refusal: &Refusal) -> String {
    if refusal.is_fault() {
        return "this can't be decided now; try again later".to_owned();
    }
    let mut text = refusal.user_messages().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        text.push_str("this is not allowed");
    }
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}
