//! The Envoy door of the built program: asked as Envoy asks, and by Envoy itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod bad_input;
mod client;
mod example;
mod faults;
mod input;
mod plugin;
mod question;
#[path = "../server/raw.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod raw;
mod real;
mod real_support;
mod results;
mod secrets;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
