//! The built program, asked over real sockets.
//!
//! Nothing here sleeps to wait for something: it is polled until a deadline, far beyond what it takes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod bad_input;
mod batch;
mod check;
mod client_layer;
mod client_library;
mod health;
mod healthcheck;
mod hostile;
mod http;
mod lifecycle;
mod python;
mod raw;
mod reload;
mod stream;
mod supervisor;
mod support;
