//! Against `opa` 1.20.2: `cases.json` has what it answered.

use super::super::corpus;

#[test]
fn answers_as_opa_does() {
    corpus::check(include_str!("cases.json"));
}
