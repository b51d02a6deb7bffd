//! What the built program tells a collector of OpenTelemetry, and Prometheus.
//!
//! The collector is a receiver of the tests' own that speaks OTLP over gRPC by OpenTelemetry's own messages and services.
//! `promtool` on the path, or what `VERDICT_TEST_PROMTOOL` names, checks metrics and rules; without it those tests are
//! skipped, unless `VERDICT_TEST_REQUIRE` has `promtool` in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod canary;
mod labels;
mod prometheus;
mod receiver;
#[path = "../decision_log/rig.rs"]
#[allow(dead_code, reason = "the tests of the decision log use the rest")]
mod rig;
mod signals;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
mod traces;
mod trouble;
