//! `verdict bundle`, over the built binary, and against the real `opa` where it is on the machine.
//!
//! `VERDICT_TEST_OPA` names the program; without it, `opa` on the path is taken, and without that those tests are skipped
//! with a word.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by ending"
)]

#[path = "../common.rs"]
mod common;

mod build;
mod inspect;
mod keys;
mod opa;
mod sign;

use std::{path::Path, process::Output};

use tempfile::TempDir;

/// A folder `policies` with something of everything, in a folder of its own.
fn policies() -> TempDir {
    common::folder(&[
        ("policies/.manifest", "{\"revision\": \"r1\", \"metadata\": {\"kept\": true}, \"of_others\": 1}"),
        ("policies/authz/allow.rego", "package authz\n\nimport data.limits\n\nallow if input.size < limits.size\n"),
        (
            "policies/authz/allow_test.rego",
            "package authz_test\n\nimport data.authz\n\ntest_a if not authz.allow with input.size as 99\n",
        ),
        (
            "policies/limits/data.json",
            "{\"size\": 1.50e1, \"names\": [\"<a>\", \"\\u2028\", \"b\\/\"], \"big\": 123456789012345678901234567890}",
        ),
        (
            "policies/more/data.yaml",
            "a: 1.0\nb: [1e30, 0.0000001, -0.0, 0x1F, 18446744073709551615, -5]\nc: |\n  x\n  y\n\"1\": ~\n",
        ),
        ("policies/README.md", "# Not in a bundle\n"),
        ("policies/.git/hidden.rego", "no rego\n"),
    ])
}

/// Runs `verdict bundle …`.
fn bundle(folder: &Path, arguments: &[&str]) -> Output {
    common::verdict(folder, &[&["bundle"], arguments].concat(), "")
}

/// Runs `verdict bundle …`, which must end with this code; standard output and standard error.
#[track_caller]
fn ran(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    let output = bundle(folder, arguments);
    let (out, err) = (common::out(&output), common::err(&output));
    assert_eq!(common::code(&output), code, "{arguments:?}\n{out}{err}");
    (out, err)
}
