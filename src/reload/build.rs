//! New content to a snapshot: read, verify, assemble, compile, test. Blocks for as long as that takes, and changes
//! nothing: what comes of it is for the [`super::Reloader`] to publish.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Failure, Tests, Trust, patch::PATCHED, selftest};
use crate::{
    bundle::{self, Bundle, InvalidSet, Limits, Package},
    decision::{Digest, Revision},
    policy::{Documents, Options, Snapshot},
    source::Content,
};

/// What is asked of a bundle's content.
#[derive(Clone, Default)]
pub(super) struct Rules {
    /// Who must have signed it.
    pub(super) trust: Option<Trust>,
    /// The least `metadata.sequence` of its manifest.
    pub(super) min_sequence: Option<u64>,
}

/// A bundle's content that is good by itself.
#[derive(Clone)]
pub(super) struct Good {
    pub(super) package: Arc<Package>,
    pub(super) digest: Digest,
    /// Its manifest's `metadata.sequence`.
    pub(super) sequence: Option<u64>,
    /// By which trust its signature, or that of each delta in it, was verified.
    pub(super) trusted: Option<String>,
}

/// What to build.
pub(super) struct Job {
    /// The content of every bundle that there is.
    pub(super) good: BTreeMap<String, Good>,
    /// New content by bundle, in order; deltas change what is before them.
    pub(super) changes: BTreeMap<String, Vec<Content>>,
    pub(super) rules: BTreeMap<String, Arc<Rules>>,
    /// What is built on now.
    pub(super) active: Option<Revision>,
    pub(super) documents: Vec<Documents>,
    pub(super) options: Options,
    pub(super) tests: Tests,
    /// Whether lower sequences are taken, as somebody asks for it by hand.
    pub(super) downgrade: bool,
}

/// What came of it.
pub(super) struct Built {
    /// The content of every bundle, the new where it is good.
    pub(super) good: BTreeMap<String, Good>,
    /// The bundles whose new content was refused, and why.
    pub(super) failures: BTreeMap<String, Arc<Failure>>,
    /// The bundles whose new content was taken.
    pub(super) taken: BTreeSet<String>,
    pub(super) outcome: Outcome,
    /// How the bundles' own tests ended.
    pub(super) tests: Vec<selftest::TestResult>,
    /// The bundles whose new content was a change to the old.
    pub(super) deltas: BTreeSet<String>,
}

pub(super) enum Outcome {
    /// It is what is active.
    Unchanged,
    /// A configured bundle has no content yet.
    Missing(Vec<String>),
    /// It is to be published.
    Ready(Box<Snapshot>),
    /// It can't be.
    Failed(Arc<Failure>),
}

/// A plain folder's files.
pub(super) fn plain(mut job: Job, name: String) -> Built {
    let contents = std::mem::take(&mut job.changes).into_values().flatten().collect::<Vec<_>>().into_iter();
    // The last that was given is what there is.
    let mut files = contents.rev().filter_map(|content| match content {
        Content::Files(files) => Some(files),
        Content::Archive(_) => None,
    });
    let Some(files) = files.next() else {
        return Built::failed(Failure::Internal("the source gave no files".to_owned()));
    };
    let built = Bundle::from_files(files.into_iter().map(|file| (file.path, file.bytes)))
        .map_err(Failure::Bundle)
        .and_then(|bundle| {
            if bundle.modules.is_empty() {
                return Err(Failure::Empty(name));
            }
            job.compiled(&bundle)
        });
    match built {
        Ok(Some(snapshot)) => Built::of(Outcome::Ready(Box::new(snapshot))),
        Ok(None) => Built::of(Outcome::Unchanged),
        Err(failure) => Built::failed(failure),
    }
}

/// Bundles.
pub(super) fn bundles(mut job: Job) -> Built {
    let mut built = Built::of(Outcome::Unchanged);
    let mut candidates = BTreeMap::new();
    for (name, contents) in std::mem::take(&mut job.changes) {
        match job.good_of(&name, contents, &mut built.deltas) {
            Ok(good) => {
                candidates.insert(name, good);
            }
            Err(failure) => {
                built.failures.insert(name, Arc::new(failure));
            }
        }
    }
    loop {
        let mut good = job.good.clone();
        good.extend(candidates.clone());
        let missing: Vec<String> =
            job.rules.keys().filter(|name| *name != PATCHED && !good.contains_key(*name)).cloned().collect();
        // With nothing new that is good, what is wrong with the rest is what there is to tell.
        let alone = built.failures.values().next().filter(|_| candidates.is_empty()).map(Arc::clone);
        let outcome = if missing.is_empty() {
            job.together(&good, &mut built.tests).map(|snapshot| match (snapshot, alone) {
                (Some(snapshot), _) => Outcome::Ready(Box::new(snapshot)),
                (None, Some(failure)) => Outcome::Failed(failure),
                (None, None) => Outcome::Unchanged,
            })
        } else {
            Ok(alone.map_or(Outcome::Missing(missing), Outcome::Failed))
        };
        let (failure, blamed) = match outcome {
            Ok(outcome) => {
                let taken = candidates.into_keys().collect();
                return Built { good, taken, outcome, ..built };
            }
            Err((failure, blamed)) => (Arc::new(failure), blamed),
        };
        let blamed: Vec<String> = candidates.keys().filter(|name| blamed.contains(*name)).cloned().collect();
        // Where nobody is to blame, or everybody, nothing changes.
        if blamed.is_empty() || blamed.len() == candidates.len() {
            built.failures.extend(candidates.into_keys().map(|name| (name, Arc::clone(&failure))));
            return Built { good: job.good, outcome: Outcome::Failed(failure), ..built };
        }
        for name in blamed {
            candidates.remove(&name);
            built.failures.insert(name, Arc::clone(&failure));
        }
    }
}

impl Built {
    fn of(outcome: Outcome) -> Self {
        Self {
            good: BTreeMap::new(),
            failures: BTreeMap::new(),
            taken: BTreeSet::new(),
            outcome,
            tests: Vec::new(),
            deltas: BTreeSet::new(),
        }
    }

    /// Nothing, because of that.
    pub(super) fn failed(failure: Failure) -> Self {
        Self::of(Outcome::Failed(Arc::new(failure)))
    }
}

impl Outcome {
    /// Whether there is something to publish.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

impl Rules {
    /// What was stored, if it is still good by what is configured now.
    pub(super) fn restored(&self, good: &Good) -> Result<Good, String> {
        let trusted = match &self.trust {
            None => good.trusted.clone(),
            Some(trust) if good.trusted.as_ref() == Some(&trust.fingerprint) => good.trusted.clone(),
            Some(trust) => {
                (trust.verify)(&good.package)?;
                Some(trust.fingerprint.clone())
            }
        };
        if self.min_sequence.is_some_and(|least| good.sequence.is_none_or(|sequence| sequence < least)) {
            return Err("its `metadata.sequence` is lower than `min_sequence`".to_owned());
        }
        Ok(Good { trusted, ..good.clone() })
    }
}

impl Job {
    /// One bundle's new content, alone.
    fn good_of(&self, name: &str, contents: Vec<Content>, deltas: &mut BTreeSet<String>) -> Result<Good, Failure> {
        let rules = self.rules.get(name).map(|rules| Rules::clone(rules)).unwrap_or_default();
        let before = self.good.get(name);
        let mut now: Option<Good> = None;
        for content in contents {
            let package = match content {
                Content::Archive(bytes) => Package::read(&bytes, &Limits::default()),
                Content::Files(files) => Package::from_files(
                    files.into_iter().map(|file| bundle::File { path: file.path, bytes: file.bytes }),
                ),
            };
            let package = package.map_err(|error| Failure::Unpack(name.to_owned(), error.to_string()))?;
            if package.is_delta() {
                deltas.insert(name.to_owned());
            }
            let mut trusted = None;
            if let Some(trust) = &rules.trust {
                (trust.verify)(&package).map_err(|cause| Failure::Signature(name.to_owned(), cause))?;
                trusted = Some(trust.fingerprint.clone());
            }
            let package = if package.is_delta() {
                let base = now.as_ref().or(before).filter(|base| base.trusted == trusted);
                let base = base.ok_or_else(|| {
                    Failure::Unpack(name.to_owned(), "a delta, and there is no bundle that it could change".to_owned())
                })?;
                base.package.apply(&package).map_err(|error| Failure::Unpack(name.to_owned(), error.to_string()))?
            } else {
                package
            };
            now = Some(Good::of(package, trusted));
        }
        let now = now.ok_or_else(|| Failure::Internal("a source gave nothing".to_owned()))?;
        self.not_lower(name, before.and_then(|good| good.sequence), rules.min_sequence, now.sequence)?;
        Ok(now)
    }

    fn not_lower(
        &self,
        name: &str,
        before: Option<u64>,
        configured: Option<u64>,
        sequence: Option<u64>,
    ) -> Result<(), Failure> {
        let Some(least) = before.max(configured).filter(|_| !self.downgrade) else { return Ok(()) };
        if sequence.is_some_and(|sequence| sequence >= least) {
            return Ok(());
        }
        let has = sequence.map_or("none".to_owned(), |sequence| sequence.to_string());
        Err(Failure::Downgrade(
            name.to_owned(),
            format!("its `metadata.sequence` is {has}, and must be at least {least}"),
        ))
    }

    /// All of them; on failure with the names of those whose content it lies in.
    fn together(
        &self,
        good: &BTreeMap<String, Good>,
        tests: &mut Vec<selftest::TestResult>,
    ) -> Result<Option<Snapshot>, (Failure, BTreeSet<String>)> {
        let packages: Vec<(String, Arc<Package>)> =
            good.iter().map(|(name, good)| (name.clone(), Arc::clone(&good.package))).collect();
        let everyone = || -> BTreeSet<String> { good.keys().cloned().collect() };
        let set = bundle::assemble(&packages).map_err(|error| {
            let blamed = named(&error);
            (Failure::Set(error), if blamed.is_empty() { everyone() } else { blamed })
        })?;
        if set.modules.is_empty() {
            return Err((Failure::Empty("bundles".to_owned()), everyone()));
        }
        let Some(snapshot) = self.compiled(&set).map_err(|failure| {
            let blamed = blamed(&failure, good);
            (failure, blamed)
        })?
        else {
            return Ok(None);
        };
        if self.tests == Tests::Off || set.tests.is_empty() {
            return Ok(Some(snapshot));
        }
        *tests = selftest::run(&set, self.options);
        let failed: Vec<_> = tests.iter().filter(|test| test.failed()).cloned().collect();
        if failed.is_empty() || self.tests == Tests::Warn {
            return Ok(Some(snapshot));
        }
        let failure = Failure::Tests(failed);
        let blamed = blamed(&failure, good);
        Err((failure, blamed))
    }

    /// `None` where it is what is active.
    fn compiled(&self, set: &Bundle) -> Result<Option<Snapshot>, Failure> {
        let same = |active: &Revision| active.digest == set.digest && active.bundles == set.bundles;
        if self.active.as_ref().is_some_and(same) {
            return Ok(None);
        }
        // The number is given when it is published.
        Snapshot::compile_sharing(set, 0, self.options, &self.documents).map(Some).map_err(Failure::Policies)
    }
}

impl Good {
    pub(super) fn of(package: Package, trusted: Option<String>) -> Self {
        let sequence = package.manifest.metadata.get("sequence").and_then(serde_json::Value::as_u64);
        Self { digest: package.digest(), package: Arc::new(package), sequence, trusted }
    }
}

/// The bundles that keep others from being a set; none where that can't be told.
fn named(error: &InvalidSet) -> BTreeSet<String> {
    let names: Vec<&String> = match error {
        InvalidSet::Overlap { one, other, path: _ } => vec![one, other],
        InvalidSet::SamePath { path: _ } => Vec::new(),
        InvalidSet::Delta { bundle }
        | InvalidSet::Twice { bundle }
        | InvalidSet::Outside { bundle, .. }
        | InvalidSet::Data { bundle, .. }
        | InvalidSet::Text { bundle, .. } => vec![bundle],
    };
    names.into_iter().cloned().collect()
}

/// The bundles whose files a failure names: a path starts with its bundle's name, where there are several.
fn blamed(failure: &Failure, good: &BTreeMap<String, Good>) -> BTreeSet<String> {
    let files: Vec<&str> = match failure {
        Failure::Policies(faults) => {
            faults.0.iter().filter_map(|fault| fault.position.as_ref()).map(|place| &*place.file).collect()
        }
        Failure::Tests(tests) => tests.iter().map(|test| &*test.position.file).collect(),
        _ => Vec::new(),
    };
    let is_of = |name: &str| files.iter().any(|file| file.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')));
    good.keys().filter(|name| good.len() == 1 || is_of(name)).cloned().collect()
}
