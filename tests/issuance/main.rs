//! Token issuance, asked of the built program over real sockets: gRPC's `IssuanceService`, and AuthZEN's profile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod authzen;
mod bad_input;
mod broadening;
#[path = "../authzen/client.rs"]
#[allow(dead_code, reason = "the tests of AuthZEN use the rest")]
mod client;
mod grpc;
mod rig;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
