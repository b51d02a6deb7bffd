//! `verdict test`, as people and build servers run it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test says what is wrong by failing")]

#[path = "../common.rs"]
mod common;

mod bench;
mod coverage;
mod results;
mod watch;

const POLICY: &str = "package authz\n\nallow if input.x == 1\n\nother if input.x == 2\n";
