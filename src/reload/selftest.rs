//! A policy set's own tests, run before it is published.

use std::time::{Duration, Instant};

use crate::{
    bundle::Bundle,
    decision::SourcePosition,
    policy::{
        Options,
        testing::{self, Outcome, Suite},
    },
};

/// How long one test may take.
const ONE: Duration = Duration::from_secs(1);

/// How long all may take; what did not come to its turn by then has not passed.
const ALL: Duration = Duration::from_secs(20);

/// How one test ended.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// The package's reference, e.g. `data.authz_test`.
    pub package: String,
    /// The rule's name.
    pub name: String,
    /// Where it stands.
    pub position: SourcePosition,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
}

impl TestResult {
    /// Whether it neither passed nor is still to do.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Fail | Outcome::Error(_))
    }
}

/// Runs the tests of a set.
pub(super) fn run(set: &Bundle, options: Options) -> Vec<TestResult> {
    let Options { rego_v0, capabilities, .. } = options;
    let testing = testing::Options { rego_v0, capabilities, timeout: ONE, coverage: false, parallel: 1 };
    let mut suite = match Suite::compile(set, testing) {
        Ok(suite) => suite,
        // The policies compile; so these are faults of the tests.
        Err(faults) => {
            let unknown = SourcePosition { file: "".into(), line: 1, column: 1 };
            let results = faults.0.into_iter().map(|fault| TestResult {
                package: String::new(),
                name: fault.code.to_owned(),
                position: fault.position.clone().unwrap_or_else(|| unknown.clone()),
                outcome: Outcome::Error(fault.to_string()),
                duration: Duration::ZERO,
            });
            return results.collect();
        }
    };
    let started = Instant::now();
    let tests = suite.tests().to_vec();
    let result = |test: testing::Test| {
        let (outcome, duration) = if started.elapsed() > ALL {
            (Outcome::Error(format!("no time was left; the tests of a set may take {ALL:?} in all")), Duration::ZERO)
        } else {
            let run = suite.run(&test);
            (run.outcome, run.duration)
        };
        TestResult { package: test.package, name: test.name, position: test.position, outcome, duration }
    };
    tests.into_iter().map(result).collect()
}
