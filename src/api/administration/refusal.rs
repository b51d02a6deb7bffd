//! Why a command was not done. Nothing has changed then.

use std::fmt::Write as _;

use super::{Diagnostic, Expected, Revision, Target, TestResult};

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no bundle of this name, and none may be put under it.
    #[error("there is no bundle `{0}`; `verdict policy status` lists those that there are")]
    UnknownBundle(String),
    /// No retained revision is that one.
    #[error("no retained revision is `{0}`; `verdict policy revisions` lists those that are")]
    UnknownRevision(Target),
    /// There is no earlier revision to roll back to.
    #[error("no retained revision with other content was active before; `verdict policy revisions` lists all")]
    NoEarlierRevision,
    /// Something else is active than the caller expected.
    #[error("{expected} was expected to be active, and {} is; look at it and try again", named(.active.as_ref()))]
    Conflict {
        /// What was expected.
        expected: Expected,
        /// What is active.
        active: Option<Revision>,
    },
    /// The bundle is none, is not signed as it must be, or its policies have faults.
    #[error("the bundle is refused: {message}")]
    InvalidBundle {
        /// In words, with the names of what is wrong.
        message: String,
        /// The faults of its policies, if it is those.
        diagnostics: Vec<Diagnostic>,
    },
    /// The bundle cannot be beside the others: roots that overlap.
    #[error("the bundle does not go with the others: {0}")]
    Overlap(String),
    /// The bundle's own tests fail, and they are required to pass.
    #[error("the bundle's own tests do not pass: {}", failed(.0))]
    TestsFailed(Vec<TestResult>),
    /// The bundle's revision is lower than the active one.
    #[error("the revision would go down: {0}; allow it by hand (`--allow-downgrade`) if that is meant")]
    Downgrade(String),
    /// A path of a patch is under a root that a bundle owns.
    #[error("`{path}` belongs to the bundle `{owner}`; patch only data that no bundle owns")]
    RootOwned {
        /// The path.
        path: String,
        /// The bundle that owns it.
        owner: String,
    },
    /// A patch does not fit the data (RFC 6902 §5).
    #[error("operation {operation} does not fit the data: {message}; nothing was changed")]
    PatchFailed {
        /// Which of the operations, from 0.
        operation: usize,
        /// Why.
        message: String,
    },
    /// There are no policies yet.
    #[error("no policies are active yet")]
    NotReady,
    /// As many commands as may wait are waiting.
    #[error("the server is busy with other commands; try again in a moment")]
    Busy,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Stopping,
    /// A defect in the server, or the system failed it.
    #[error("the server failed: {0}")]
    Internal(String),
}

/// The revision in words.
fn named(active: Option<&Revision>) -> String {
    active.map_or_else(|| "none".to_owned(), |active| format!("revision {} ({})", active.sequence, active.digest))
}

/// The first tests that failed.
fn failed(tests: &[TestResult]) -> String {
    const SHOWN: usize = 5;
    let names = tests.iter().take(SHOWN).map(|test| format!("`{}.{}`", test.package, test.name));
    let mut text = names.collect::<Vec<_>>().join(", ");
    if let Some(more) = tests.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        // Into text it can't fail.
        let _ = write!(text, " and {more} more");
    }
    text
}
