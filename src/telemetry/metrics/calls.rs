//! Calls as the doors' clients see them: OpenTelemetry's `rpc.server.call.duration` and `http.server.request.duration`
//! (semantic conventions 1.42).

use std::{array, sync::OnceLock, time::Duration};

use super::{
    family::{Families, Kind},
    histogram::Times,
    labels::ByLabel,
    shards::Shards,
};

/// How many methods, and how many kinds of HTTP requests, are told apart.
const MOST: usize = 200;

/// The conventions' word for what is not known.
pub const UNKNOWN: &str = "_OTHER";

/// The names of gRPC's status codes, by number.
const STATUS: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

pub(super) struct Calls {
    rpc: ByLabel<[OnceLock<Shards<Times>>; 17]>,
    /// By method, status and route, with a space between.
    http: ByLabel<Shards<Times>>,
}

/// A gRPC status by its number.
#[must_use]
pub fn status_name(code: usize) -> &'static str {
    STATUS.get(code).copied().unwrap_or("UNKNOWN")
}

impl Calls {
    pub(super) fn new() -> Self {
        Self { rpc: ByLabel::new(&[super::labels::OTHER], MOST), http: ByLabel::new(&[], MOST) }
    }

    pub(super) fn rpc(&self, method: Option<&str>, status: usize, took: Duration) {
        self.rpc.with(method.unwrap_or(super::labels::OTHER), |by_status| {
            if let Some(times) = by_status.get(status).or(by_status.get(2)) {
                times.get_or_init(Shards::default).record(took);
            }
        });
    }

    pub(super) fn http(&self, method: &'static str, route: Option<&str>, status: u16, took: Duration) {
        let key = format!("{method} {status} {}", route.unwrap_or(UNKNOWN));
        self.http.with(&key, |times| times.record(took));
    }

    pub(super) fn measure(&self, out: &mut Families) {
        let help = "How long calls of gRPC took, streams from their first message to their last.";
        out.family("rpc_server_call_duration_seconds", Kind::Histogram, help);
        for (method, by_status) in self.rpc.sorted() {
            let method = if *method == *super::labels::OTHER { UNKNOWN } else { &method };
            for (code, times) in by_status.iter().enumerate() {
                if let Some(times) = times.get() {
                    let labels = [
                        ("rpc_system_name", "grpc"),
                        ("rpc_method", method),
                        ("rpc_response_status_code", status_name(code)),
                    ];
                    out.sample(&labels, times.value());
                }
            }
        }
        let help = "How long requests over HTTP took.";
        out.family("http_server_request_duration_seconds", Kind::Histogram, help);
        for (key, times) in self.http.sorted() {
            let mut parts = key.splitn(3, ' ');
            let [method, status, route] = array::from_fn(|_| parts.next().unwrap_or(UNKNOWN));
            let labels =
                [("http_request_method", method), ("http_response_status_code", status), ("http_route", route)];
            out.sample(&labels, times.value());
        }
    }
}
