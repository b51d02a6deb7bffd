//! Bundles over a running server: activated, refused, kept, gone back from.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod bundles;
mod commands;
mod disk;
mod freshness;
#[path = "../server/raw.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod raw;
mod store;
mod support;
