//! Credentials in questions, against the built program over real sockets: who is believed, who is not, and what an issuer
//! may do meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod client;
mod doors;
mod forge;
mod hostile;
mod introspection;
mod issuer;
mod keys;
mod mcp;
mod measure;
#[path = "../server/raw.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod raw;
mod records;
mod revocation;
mod rig;
mod signals;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
mod tokens;
