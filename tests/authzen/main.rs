//! The AuthZEN door of the built program, asked over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod bad_input;
mod candidates;
mod certification;
mod client;
mod conformance;
mod discovery;
mod evaluations;
mod freshness;
mod search;
mod search_service;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
mod transport;
