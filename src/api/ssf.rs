//! The push endpoint of Shared Signals (RFC 8935 §2): one security event token a request.
//!
//! What is answered by 202 is in force and durable. What is refused gets 400 and one of the registered errors (§2.4); what
//! can't be kept now gets 503, so that it comes again.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
    routing::post,
};
use futures::FutureExt as _;
use serde_json::json;

use crate::ssf::{Error, Fault, Receiver};

/// The largest token, in bytes, with room for what is no token.
const LARGEST: usize = 64 << 10;

#[derive(Clone)]
struct Door {
    receiver: Receiver,
    request_timeout: Duration,
}

/// The endpoint, to be merged into another router.
pub fn router(receiver: Receiver, request_timeout: Duration) -> Router {
    Router::new().route("/ssf/events", post(push)).with_state(Door { receiver, request_timeout })
}

async fn push(State(door): State<Door>, request: Request) -> Response {
    let work = AssertUnwindSafe(door.push(request)).catch_unwind();
    match tokio::time::timeout(door.request_timeout, work).await {
        Ok(Ok(response)) => response,
        // What was not acknowledged is pushed again.
        Ok(Err(_)) | Err(_) => not_now(),
    }
}

impl Door {
    async fn push(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        if !is_token(&parts.headers) {
            return refused(Error::InvalidRequest, "the content type is not `application/secevent+jwt`");
        }
        let Some(text) = read(body).await else {
            return refused(Error::InvalidRequest, "the body is no token of at most 64 KiB");
        };
        let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match self.receiver.push(text.trim(), authorization).await {
            Ok(_) => (StatusCode::ACCEPTED, [(CACHE_CONTROL, "no-store")]).into_response(),
            Err(Fault::Refused(error, why)) => refused(error, &why),
            Err(Fault::NotNow(_)) => not_now(),
        }
    }
}

fn is_token(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/secevent+jwt")
}

async fn read(body: Body) -> Option<String> {
    let bytes = axum::body::to_bytes(body, LARGEST).await.ok()?;
    String::from_utf8(bytes.to_vec()).ok()
}

/// RFC 8935 §2.3.
fn refused(error: Error, why: &str) -> Response {
    let body = json!({"err": error.name(), "description": why}).to_string();
    let headers = [(CONTENT_TYPE, "application/json"), (CONTENT_LANGUAGE, "en"), (CACHE_CONTROL, "no-store")];
    (StatusCode::BAD_REQUEST, headers, body).into_response()
}

fn not_now() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5"), (CACHE_CONTROL, "no-store")]).into_response()
}
