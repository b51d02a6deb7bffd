//! The policy service and `verdict policy`: the built program, over its own socket.
//!
//! Nothing here sleeps to wait for something: it is polled until a deadline, far beyond what it takes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod commands;
mod door;
mod fleet;
mod put;
mod support;
mod watch;
