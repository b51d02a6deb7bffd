//! Cases that are checked in: differences that were, with OPA's answers.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    compare::{self, Difference},
    oracle::Said,
    ours::Ours,
};

/// One file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Case {
    policy: Vec<String>,
    rule: String,
    /// JSON text, so that its numbers stay as they are; none is an undefined `input`.
    input: Option<String>,
    /// OPA's value; none is undefined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// OPA's error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What is wrong with the answers to the cases.
pub(crate) fn faults() -> Vec<String> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).expect("the folder is there").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().filter_map(|file| fault(file).map(|fault| format!("{}: {fault}", file.display()))).collect()
}

fn fault(file: &PathBuf) -> Option<String> {
    let case: Case = serde_json::from_str(&fs::read_to_string(file).expect("it can be read")).expect("it is a case");
    let policy = case.policy.join("\n");
    let ours = match Ours::load(&policy) {
        Ok(ours) => ours.rule(&case.rule, case.input.as_deref()),
        Err((code, cause)) => return Some(format!("refused: {code}: {cause}\n{policy}")),
    };
    let opa = case.error.map_or(Said::Value(case.value), Said::Error);
    let difference = compare::difference(&case.rule, opa, ours)?;
    Some(format!("{difference}\n{policy}\n  input: {}", case.input.as_deref().unwrap_or("undefined")))
}

/// Adds a case.
pub(crate) fn write(policy: &str, input: Option<&str>, difference: &Difference) {
    let (value, error) = match &difference.opa {
        Said::Value(value) => (value.clone(), None),
        Said::Error(error) => (None, Some(error.clone())),
    };
    let policy: Vec<String> = policy.trim_end().lines().map(str::to_owned).collect();
    let case = Case { policy, rule: difference.rule.clone(), input: input.map(str::to_owned), value, error };
    let mut text = serde_json::to_string_pretty(&case).expect("JSON");
    text.push('\n');
    let digest = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    fs::write(folder().join(format!("{digest:016x}.json")), text).expect("the folder can be written");
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/differential/cases")
}
