//! Sources of bundles against servers that behave, and servers that do not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test says what is wrong by failing"
)]

mod credentials;
mod disk;
mod http;
mod objects;
mod polling;
mod redirects;
mod registry;
mod support;
mod tls;
