//! What `deploy/` and `deny.toml` say, held to the built program: every configuration in them is one that it takes and serves by,
//! every probe asks what it answers.
//!
//! Linters judge the files, too: `helm`, `kubernetes-validate`, `hadolint`, `cargo-deny` and `systemd-analyze` on the path, or what
//! `VERDICT_TEST_HELM` and its like name. Without one its tests are skipped, unless `VERDICT_TEST_REQUIRE` has its name in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod authority;
mod chart;
mod container;
mod manifests;
mod pods;
mod serving;
mod supply_chain;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;
mod systemd;
mod threats;
mod tools;

/// The root of the repository.
fn repository() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
