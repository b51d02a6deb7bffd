//! What hostile and broken clients do to the built program, over real sockets. Sizes are small by default, so that a busy
//! machine fails none; `docs/reliability.md` has the full ones and their variables.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test ends where something is not as it should be"
)]

mod answers;
mod beside;
mod callers;
mod clock;
mod connections;
mod end;
#[path = "../identity/forge.rs"]
#[allow(dead_code, reason = "the tests of credentials use the rest")]
mod forge;
mod frames;
mod limits;
mod load;
mod messages;
mod overload;
mod soak;
mod spiffe;
mod spire;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
mod tls;
mod waits;

/// A size of a test: of this variable, or this.
fn sized(variable: &str, small: usize) -> usize {
    std::env::var(variable).map_or(small, |text| text.parse().expect("a number"))
}
