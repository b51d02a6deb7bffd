//! The OPA door of the built program, asked over real sockets; beside OPA itself where `VERDICT_TEST_OPA` names it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod bad_input;
mod client;
mod data;
mod differential;
mod information;
mod query;
mod request_id;
mod stock_client;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
mod write;
