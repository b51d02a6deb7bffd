//! The MCP door of the built program, asked over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod bad_input;
mod check;
#[path = "../authzen/client.rs"]
#[allow(dead_code, reason = "the tests of AuthZEN use the rest")]
mod client;
mod example;
mod over_grpc;
#[path = "../server/raw.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod raw;
mod request_id;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
