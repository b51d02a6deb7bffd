//! For tests: what is made at random, and OPA's answers to it.
//!
//! `VERDICT_TEST_OPA` names the program; without it such a test is skipped with a word.

use std::{env, fs, process::Command};

use serde_json::Value as Json;

/// As many numbers as are asked for (xorshift).
pub(super) struct Dice(u64);

impl Dice {
    /// `seed` names a variable that says where the generator starts.
    pub(super) fn new(seed: &str) -> Self {
        Self(u64::try_from(number(seed).unwrap_or(1)).unwrap().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound.max(1)
    }

    /// Up to `most` of the pieces, one after the other.
    pub(super) fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}

/// The number in this variable.
pub(super) fn number(name: &str) -> Option<usize> {
    env::var(name).ok()?.parse().ok()
}

/// OPA's program.
pub(super) fn program() -> Option<String> {
    let program = env::var("VERDICT_TEST_OPA").ok();
    if program.is_none() {
        println!("skipped: no opa (name it in VERDICT_TEST_OPA)");
    }
    program
}

/// What OPA makes of `data.p` with this policy and input, or how it ends.
pub(super) fn eval(program: &str, policy: &str, input: &str) -> Result<Json, String> {
    let folder = tempfile::tempdir().unwrap();
    let [at, given] = ["p.rego", "input.json"].map(|name| folder.path().join(name));
    fs::write(&at, format!("package p\n{policy}")).unwrap();
    fs::write(&given, input).unwrap();
    let mut command = Command::new(program);
    command.args(["eval", "--format", "raw", "--data"]).arg(&at).arg("--input").arg(&given).arg("data.p");
    let output = command.output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).chars().take(600).collect());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}
