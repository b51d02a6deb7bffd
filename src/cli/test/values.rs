//! `verdict test --var-values`: why a test failed.
use verdict::policy::testing::{Run, Suite, Test};

/// What is known of the failures.
#[derive(Default)]
pub(super) struct Values;

pub(super) fn of(_suite: &Suite, _runs: &[(Test, Run)]) -> Values { Values }
impl Values {
    pub(super) fn text(&self, _test: &Test, _colour: bool) -> String { String::new() }
    pub(super) fn json(&self, _test: &Test) -> Option<serde_json::Value> { None }
}
