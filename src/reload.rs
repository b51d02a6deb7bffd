//! Takes policies from their sources to a sink: fetches, compiles, publishes; keeps the last good.
//!
//! New policies are compiled beside the running ones, off the query path. If any step fails, nothing changes but what
//! [`Sink`] is told. One task, [`Reloader::run`], does one thing after another; what must not wait for it, as going back
//! to a retained revision, is done beside it on `ledger::Ledger`, which both share.

#![allow(clippy::result_large_err, reason = "a refusal is rare, tells much, and is on no question's way")]

mod build;
mod changes;
mod failure;
mod feed;
mod finish;
mod handle;
mod keep;
mod ledger;
mod patch;
mod report;
mod selftest;
mod store;
mod work;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

pub use self::{
    failure::Failure,
    handle::Handle,
    patch::PATCHED as RESERVED,
    selftest::TestResult,
    work::{Reloader, Settings},
};
use crate::{
    bundle::{Package, signing::Algorithm},
    decision::{Evaluator, NotAt, RETAINED, Replaced, Revision},
    policy::Snapshot,
    source::{Source, Spec},
};

/// Settings of reloading.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether policies that do not compile at start end the process instead of leaving it not ready.
    pub strict: bool,
    /// How many snapshots are retained, the active one among them.
    pub retained: usize,
    /// Where the last good bundles are kept; `None` for nowhere.
    pub store: Option<PathBuf>,
    /// What the bundles' own tests are for.
    pub tests: Tests,
    /// How long the first answer of every source is waited for.
    pub start_timeout: Duration,
}

/// Settings of one bundle.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// Where it comes from; `None` where it is only put by hand.
    pub source: Option<Spec>,
    /// Who must have signed it.
    pub verification: Option<Verification>,
    /// How long its source may say nothing before the server is not serving.
    pub stale_after: Option<Duration>,
    /// The least `metadata.sequence` of its manifest.
    pub min_sequence: Option<u64>,
}

/// Settings of a signature.
#[derive(Clone, Debug)]
pub struct Verification {
    /// A PEM file with the public key, or a file with the secret.
    pub key_file: PathBuf,
    /// How it signs.
    pub algorithm: Algorithm,
    /// What it is called; the key that is to be used, whatever the signature says.
    pub key_id: Option<String>,
    /// What the signature must be for.
    pub scope: String,
    /// Patterns of files that need no signature.
    pub exclude: Vec<String>,
}

/// What becomes of a bundle whose own tests fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tests {
    /// They are not run.
    Off,
    /// It is published, and the log tells.
    #[default]
    Warn,
    /// It is refused.
    Require,
}

/// A bundle and its source.
pub struct Feed {
    /// The bundle's name.
    pub name: String,
    /// Where it comes from; `None` where it is only put by hand.
    pub source: Option<Box<dyn Source>>,
    /// Who must have signed it.
    pub trust: Option<Trust>,
    /// How long its source may say nothing before the bundle is stale.
    pub stale_after: Option<Duration>,
    /// The least `metadata.sequence` of its manifest.
    pub min_sequence: Option<u64>,
}

/// How signatures are verified.
#[derive(Clone)]
pub struct Trust {
    /// Differs with each set of keys and options.
    pub fingerprint: String,
    /// Says why a package is not signed as it must be.
    pub verify: Arc<Verify>,
}

/// Says why a package is not signed as it must be.
pub type Verify = dyn Fn(&Package) -> Result<(), String> + Send + Sync;

/// Who publishes, and is told how reloads went.
pub trait Sink: Send + Sync {
    /// A new snapshot is compiled; from the return of this call on, questions are decided on it.
    fn publish(&self, snapshot: Arc<Snapshot>) -> Replaced;

    /// The retained revision `sequence` is published again as `now`, at once.
    fn republish(&self, sequence: u64, now: u64) -> Result<(Revision, Arc<dyn Evaluator>, Replaced), NotAt>;

    /// What answers the same, but faster, takes the place of the active snapshot `sequence`.
    fn refresh(&self, sequence: u64, snapshot: Arc<dyn Evaluator>) -> Replaced;

    /// The source's content is again what is already published.
    fn unchanged(&self);

    /// A reload failed; the last good snapshot, if there is one, goes on.
    fn failed(&self, failure: &Failure);

    /// These bundles are stale now, or, without any, none is any more.
    fn stale(&self, bundles: &[String]);
}

impl Default for Config {
    fn default() -> Self {
        Self {
            strict: false,
            retained: RETAINED,
            store: None,
            tests: Tests::default(),
            start_timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Display for Tests {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Require => "require",
        })
    }
}

/// By bundle.
type ByName<T> = BTreeMap<String, T>;
