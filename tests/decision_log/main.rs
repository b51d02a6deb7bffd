//! The decision log of the built program: what it writes, where it delivers, what it survives.
//!
//! `VERDICT_TEST_OPA` names the program whose own decision log is compared; without it, `opa` on the path is taken, and
//! without that the test is skipped, unless `VERDICT_TEST_REQUIRE` has `opa` in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod bad_input;
mod canary;
mod chain;
mod durable;
#[path = "../envoy/client.rs"]
#[allow(dead_code, reason = "the tests of Envoy's door use the rest")]
mod envoy_client;
mod http;
mod masking;
mod opa;
mod records;
mod replay;
mod rig;
mod searches;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
mod verbs;
mod withheld;
