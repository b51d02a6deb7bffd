//! Answers: JSON, indented where that was asked, compressed where the client takes it and it is worth it.

use std::io::Write as _;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY},
    },
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value as Json;

use crate::decision::Revision;

const DECISION_ID: HeaderName = HeaderName::from_static("verdict-decision-id");
const REVISION: HeaderName = HeaderName::from_static("verdict-revision");

/// The shortest answer that is compressed, in bytes: OPA's default.
const WORTH_IT: usize = 1_024;

/// What is compressed before other requests get a turn.
const TURN: usize = 64 << 10;

/// An answer that is no error.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Without one, there is no body.
    pub(super) body: Option<Json>,
    pub(super) pretty: bool,
    pub(super) gzip: bool,
    pub(super) headers: HeaderMap,
}

impl Answer {
    /// 200 with that body.
    pub(super) fn of(body: Json, request: &HeaderMap, pretty: bool) -> Self {
        Self { body: Some(body), pretty, gzip: takes_gzip(request), ..Self::default() }
    }

    /// A status alone.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) async fn response(self) -> Response {
        let Self { status, body, pretty, gzip, headers } = self;
        let text = body.map(|body| {
            let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) };
            // Values of JSON always serialize.
            text.unwrap_or_default() + "\n"
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let set = response.headers_mut();
        set.extend(headers);
        let Some(text) = text else { return response };
        set.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        set.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if gzip
            && text.len() >= WORTH_IT
            && let Some(bytes) = compressed(text.as_bytes()).await
        {
            set.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            *response.body_mut() = bytes.into();
        } else {
            *response.body_mut() = text.into();
        }
        response
    }
}

/// The headers that name a decision, as at the other doors.
pub(super) fn decided(decision_id: &str, revision: &Revision) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name, text: &str| text.parse().map(|value: HeaderValue| headers.insert(name, value));
    // Neither ids nor digests have anything that a header can't hold.
    let _ = set(DECISION_ID, decision_id);
    let _ = set(REVISION, &format!("{} {}", revision.sequence, revision.digest));
    headers
}

async fn compressed(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in text.chunks(TURN) {
        encoder.write_all(part).ok()?;
        tokio::task::yield_now().await;
    }
    encoder.finish().ok()
}

/// Whether the client takes gzip (RFC 9110 §12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().trim_start_matches("q=").trim();
        let refused = !weight.is_empty() && weight.parse().is_ok_and(|weight: f32| weight <= 0.0);
        ["gzip", "x-gzip"].iter().any(|gzip| name.trim().eq_ignore_ascii_case(gzip)) && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compresses_for_those_who_take_it() {
        for (said, takes) in [
            ("gzip", true),
            ("br, GZip;q=0.5", true),
            ("gzip; q=0", false),
            ("gzip;q=0.000", false),
            ("identity", false),
            ("x-gzipper", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_str(said).unwrap())]);
            assert_eq!(takes_gzip(&headers), takes, "{said}");
        }
    }
}
