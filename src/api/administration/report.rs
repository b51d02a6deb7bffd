//! What trying a bundle showed: its faults, its tests, and what it would change.

use std::time::Duration;

use super::Revision;
use crate::decision::SourcePosition;

/// What putting a bundle came to, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether the bundle is (or, of a dry run, would be) taken.
    pub accepted: bool,
    /// Whether that changed (or would change) what questions are decided on.
    pub changed: bool,
    /// What is active now; of a dry run what would be, or what is where it would not be taken.
    pub revision: Revision,
    /// Faults and warnings, in the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
    /// The bundle's own tests, where they were run.
    pub tests: Vec<TestResult>,
    /// What differs from what was active.
    pub changes: Changes,
}

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// The bundle is refused.
    #[default]
    Error,
    /// The bundle is taken; its author should look.
    Warning,
}

/// One fault or warning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// Stable code, e.g. `rego_parse_error`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to try; may be empty.
    pub help: String,
    /// Where; none where it concerns no single place.
    pub position: Option<SourcePosition>,
}

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The package's reference, e.g. `data.authz_test`.
    pub package: String,
    /// The rule's name.
    pub name: String,
    /// Where the rule stands.
    pub position: Option<SourcePosition>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not pass; may be empty.
    pub message: String,
    /// How long it took.
    pub duration: Duration,
}

/// Whether a test passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It did not.
    Failed,
    /// It is still to do.
    Skipped,
    /// It could not be run to its end.
    Errored,
}

/// How one set differs from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rules, by reference (`data.authz.allow`), sorted.
    pub rules: Vec<Change>,
    /// Data, by the path that differs (`data.users.alice`), sorted.
    pub data: Vec<Change>,
    /// Whether there are more that are not listed.
    pub truncated: bool,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What kind.
    pub kind: Kind,
    /// Of what.
    pub path: String,
}

/// What kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only the new set has it.
    Added,
    /// Only the old set has it.
    Removed,
    /// Both have it, differently.
    Changed,
}
