//! What operators may ask of the policies that are served: the port that the policy service calls.
//!
//! Owns its words: plain types, of no wire and of no engine. `app` implements it over the reloader; doors call it. What
//! is refused, and why, is in `refusal`; which error of a call that becomes is in [`super::status`].

mod patch;
mod refusal;
mod report;

use std::{
    fmt,
    pin::Pin,
    time::{Duration, SystemTime},
};

use futures::Stream;

pub use patch::{InvalidPatch, Operation, operations};
pub use refusal::Refusal;
pub use report::{Change, Changes, Diagnostic, Kind, Outcome, Report, Severity, TestResult};

use crate::decision::Digest;
pub use crate::decision::Revision;

/// An answer to come. Dropping it takes back nothing that has begun: whoever stops waiting asks for the status.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// The status as it is now, and then each one that differs (ages apart), the latest where a reader is slow. It ends
/// when the server does.
pub type Updates = Pin<Box<dyn Stream<Item = Status> + Send>>;

/// What operators may do. Commands are done one after another; each is done whole or not at all.
pub trait Administration: Send + Sync {
    /// What is served, and how its sources are.
    fn status(&self) -> Status;

    /// Follows the status.
    fn watch(&self) -> Updates;

    /// What was published in this process, the newest first: all that is retained, and some that no longer is.
    fn revisions(&self) -> Vec<Publication>;

    /// Verifies, unpacks, compiles and tests a bundle beside the others that are active, and publishes the set. Of a dry
    /// run nothing is kept, and a bundle with faults is no refusal but a report that says so.
    ///
    /// What was put stays until the bundle's source has something newer, or another is put.
    fn put(&self, put: Put) -> Reply<'_, Report>;

    /// Publishes a retained revision again, at once. From then on what sources bring is kept, but not published, until
    /// [`Administration::release`].
    fn activate(&self, to: Target, expected: Expected) -> Reply<'_, Publication>;

    /// Lets sources take over again, and publishes what they have by now. Where nothing is pinned, that is no fault.
    fn release(&self, expected: Expected) -> Reply<'_, Publication>;

    /// Changes data under roots that no bundle owns, all operations or none (RFC 6902 §5).
    fn patch(&self, patch: Patch) -> Reply<'_, Publication>;
}

/// A revision that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// What.
    pub revision: Revision,
    /// When.
    pub published: SystemTime,
    /// Why.
    pub cause: Cause,
    /// Whether it can be activated, and asked by `at_revision`.
    pub retained: bool,
}

/// What made a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A source brought something.
    Source,
    /// It was kept on disk when the process started.
    Restored,
    /// A bundle was put.
    Put,
    /// A retained revision was activated, by name or by rolling back.
    Activate,
    /// Sources took over again.
    Release,
    /// Data was patched.
    Patch,
}

/// What is served, and how its sources are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What questions are decided on; none before the first set.
    pub active: Option<Publication>,
    /// Every configured bundle, and those that were put, by name.
    pub bundles: Vec<BundleStatus>,
    /// Whether the active revision was activated by hand, so that sources do not replace it.
    pub pinned: bool,
    /// Whether the active revision outlives the process.
    pub persistence: Persistence,
    /// Why what the sources have is not active; none if it is, or if it is only pinned.
    pub failure: Option<Failure>,
    /// Whether any bundle is stale.
    pub stale: bool,
}

/// Whether a revision outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// It is not configured.
    #[default]
    Off,
    /// It is not written yet.
    Pending,
    /// It is written.
    Done,
    /// It could not be written: why. Decisions go on.
    Failed(String),
}

/// One bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleStatus {
    /// Its name in the configuration, or the one it was put under.
    pub name: String,
    /// What the author calls the content that is active; may be empty.
    pub revision: String,
    /// The digest of the content that is active; none if none is.
    pub digest: Option<Digest>,
    /// The paths below `data` that it owns, with `/`; an empty one means all.
    pub roots: Vec<String>,
    /// Where it comes from.
    pub source: SourceStatus,
    /// When content of it was last published.
    pub activated: Option<SystemTime>,
    /// How long ago the source last said what is current.
    pub age: Option<Duration>,
    /// Whether that is longer than configured.
    pub stale: bool,
    /// What went wrong last, until something goes well.
    pub failure: Option<Failure>,
}

/// Where a bundle comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// `folder`, `file`, `http`, `s3`, `oci` and so on; `put` where it has none but this door.
    pub kind: String,
    /// The path or URL, without credentials or a query.
    pub location: String,
    /// When it was last asked.
    pub last_attempt: Option<SystemTime>,
    /// When it last answered, be it that nothing is new.
    pub last_success: Option<SystemTime>,
    /// When it is asked again, where that is known.
    pub next_attempt: Option<SystemTime>,
}

/// What went wrong with new content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which step: `fetch`, `verify`, `unpack`, `compile`, `test`, `persist`.
    pub step: String,
    /// In words.
    pub message: String,
    /// When.
    pub at: SystemTime,
    /// The faults of the policies, if it is those.
    pub diagnostics: Vec<Diagnostic>,
}

/// A bundle for [`Administration::put`].
#[derive(Clone, Debug)]
pub struct Put {
    /// Which bundle it is.
    pub name: String,
    /// The archive: `.tar.gz`, `.tar.zst` or `.tar`.
    pub archive: Vec<u8>,
    /// Whether it is only tried.
    pub dry_run: bool,
    /// What must be active.
    pub expected: Expected,
    /// Whether a revision lower than the active one is taken too.
    pub allow_downgrade: bool,
}

/// Which revision to activate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one with this sequence.
    Sequence(u64),
    /// The newest with this content.
    Digest(Digest),
    /// The one with other content that was active before what is active now; asked again, the one before that.
    Previous,
}

/// What must be active for a command to be done; what is not given is not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The active revision's sequence.
    pub sequence: Option<u64>,
    /// The active revision's digest.
    pub digest: Option<Digest>,
}

/// Operations for [`Administration::patch`].
#[derive(Clone, Debug)]
pub struct Patch {
    /// In order; paths are below `data`.
    pub operations: Vec<Operation>,
    /// What must be active.
    pub expected: Expected,
}

impl Expected {
    /// Whether `active` is what was expected.
    #[must_use]
    pub fn is(&self, active: Option<&Revision>) -> bool {
        let Self { sequence, digest } = *self;
        sequence.is_none_or(|sequence| active.is_some_and(|active| active.sequence == sequence))
            && digest.is_none_or(|digest| active.is_some_and(|active| active.digest == digest))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.sequence, self.digest) {
            (None, None) => out.write_str("any revision"),
            (Some(sequence), None) => write!(out, "revision {sequence}"),
            (None, Some(digest)) => digest.fmt(out),
            (Some(sequence), Some(digest)) => write!(out, "revision {sequence} ({digest})"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => write!(out, "{sequence}"),
            Self::Digest(digest) => digest.fmt(out),
            Self::Previous => out.write_str("the previous one"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_compared_where_it_is_given() {
        let digest = Digest([7; 32]);
        let active = Revision { sequence: 3, digest, ..Revision::default() };
        let expected = |sequence, digest| Expected { sequence, digest };
        assert!(Expected::default().is(None) && Expected::default().is(Some(&active)));
        assert!(expected(Some(3), None).is(Some(&active)) && expected(None, Some(digest)).is(Some(&active)));
        assert!(expected(Some(3), Some(digest)).is(Some(&active)));
        assert!(!expected(Some(3), None).is(None));
        assert!(!expected(Some(2), Some(digest)).is(Some(&active)));
        assert!(!expected(Some(3), Some(Digest::default())).is(Some(&active)));
    }
}
