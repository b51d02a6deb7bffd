//! What was published, and what is known of each bundle: shared by the task that reloads and by those who ask or command.
//! Never on a question's way; held for moments only.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};

use super::{
    ByName, Sink,
    build::{Good, Rules},
    store::Kept,
};
use crate::{
    api::administration::{Cause, Expected, Failure, Persistence, Publication, Refusal, Target},
    clock,
    decision::{self, Digest, Replaced},
    policy::{Documents, Snapshot},
    source,
};

/// How many publications are listed.
const LISTED: usize = 64;

/// See the module.
pub(super) struct Ledger {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) retained: usize,
    pub(super) changed: watch::Sender<u64>,
    inner: Mutex<Inner>,
}

/// What the lock guards.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) sequence: u64,
    /// The newest first.
    pub(super) published: VecDeque<Record>,
    /// Whether what is active was activated by hand.
    pub(super) pinned: bool,
    pub(super) persistence: Persistence,
    pub(super) failure: Option<Failure>,
    pub(super) bundles: ByName<Held>,
}

/// One publication.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) revision: decision::Revision,
    at: SystemTime,
    cause: Cause,
    /// What it was made of, without the content.
    pub(super) kept: ByName<Kept>,
    pub(super) documents: Documents,
}

/// What is known of a bundle.
pub(super) struct Held {
    pub(super) rules: Arc<Rules>,
    pub(super) stale_after: Option<Duration>,
    /// `None` where it has no source but what was put.
    pub(super) source: Option<source::Status>,
    /// Where a source has no status.
    pub(super) location: String,
    pub(super) good: Option<Good>,
    pub(super) activated: Option<SystemTime>,
    /// When its source last gave something, where it has no status.
    pub(super) confirmed: Option<Instant>,
    /// Since when it is waited for.
    pub(super) since: Instant,
    pub(super) failure: Option<Failure>,
}

impl Ledger {
    pub(super) fn new(sink: Arc<dyn Sink>, retained: usize, bundles: ByName<Held>) -> Self {
        let inner = Inner { bundles, ..Inner::default() };
        Self { sink, retained, changed: watch::Sender::new(0), inner: Mutex::new(inner) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is to be seen in the status.
    pub(super) fn tell(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    /// Publishes a snapshot, unless what is active was activated by hand.
    /// It is given back then.
    pub(super) fn publish(&self, snapshot: Snapshot, cause: Cause, good: &ByName<Good>) -> Result<(), Box<Snapshot>> {
        let mut inner = self.lock();
        if inner.pinned && cause != Cause::Restored {
            return Err(Box::new(snapshot));
        }
        inner.sequence += 1;
        let snapshot = Arc::new(snapshot.numbered(inner.sequence));
        let revision = decision::Evaluator::revision(&*snapshot).clone();
        let record = Record {
            revision,
            at: clock::now(),
            cause,
            kept: good.iter().map(|(name, good)| (name.clone(), good.kept())).collect(),
            documents: snapshot.documents(),
        };
        let before = inner.published.front().map(|record| record.kept.clone()).unwrap_or_default();
        let digest = |kept: &ByName<Kept>, name: &String| kept.get(name).map(|kept| kept.digest);
        for (name, held) in &mut inner.bundles {
            if digest(&before, name) != digest(&record.kept, name) {
                held.activated = Some(record.at);
            }
        }
        let replaced = self.sink.publish(snapshot);
        let documents = inner.record(record, self.retained);
        drop(inner);
        bury(replaced);
        drop_apart(documents);
        self.tell();
        Ok(())
    }

    /// Publishes a retained revision again, at once, and keeps sources from replacing it.
    pub(super) fn activate(&self, to: Target, expected: Expected) -> Result<Publication, Refusal> {
        let mut inner = self.lock();
        inner.check(expected)?;
        let record = inner.find(to, self.retained)?.clone();
        let now = inner.sequence + 1;
        let (revision, awake, replaced) = self
            .sink
            .republish(record.revision.sequence, now)
            .map_err(|_| Refusal::UnknownRevision(Target::Sequence(record.revision.sequence)))?;
        inner.sequence = now;
        inner.pinned = true;
        let documents =
            inner.record(Record { revision, at: clock::now(), cause: Cause::Activate, ..record }, self.retained);
        let publication = inner.publication(self.retained);
        drop(inner);
        bury(replaced);
        drop_apart(documents);
        self.tell();
        // What was woken shares memory between threads, and so is slower where there are many.
        let sink = Arc::clone(&self.sink);
        tokio::task::spawn_blocking(move || {
            if let Some(rebuilt) = awake.rebuilt() {
                drop(awake);
                bury(sink.refresh(now, rebuilt));
            }
        });
        publication.ok_or(Refusal::NotReady)
    }

    /// The documents of the retained snapshots.
    pub(super) fn documents(&self) -> Vec<Documents> {
        self.lock().published.iter().take(self.retained).map(|record| record.documents.clone()).collect()
    }
}

impl Inner {
    /// The active revision.
    pub(super) fn active(&self) -> Option<&decision::Revision> {
        self.published.front().map(|record| &record.revision)
    }

    /// Refuses where something else is active than expected.
    pub(super) fn check(&self, expected: Expected) -> Result<(), Refusal> {
        let active = self.active().map(named);
        if expected.is(active.as_ref()) { Ok(()) } else { Err(Refusal::Conflict { expected, active }) }
    }

    /// What is published.
    pub(super) fn publication(&self, retained: usize) -> Option<Publication> {
        self.publications(retained).next()
    }

    pub(super) fn publications(&self, retained: usize) -> impl Iterator<Item = Publication> {
        self.published.iter().enumerate().map(move |(at, record)| Publication {
            revision: named(&record.revision),
            published: record.at,
            cause: record.cause,
            retained: at < retained,
        })
    }

    /// The digests of what retained revisions are made of.
    pub(super) fn needed(&self, retained: usize) -> BTreeSet<Digest> {
        self.published.iter().take(retained).flat_map(|record| record.kept.values().map(|kept| kept.digest)).collect()
    }

    /// Gives back the documents of what is no longer retained.
    fn record(&mut self, record: Record, retained: usize) -> Vec<Documents> {
        self.published.push_front(record);
        self.published.truncate(LISTED);
        self.failure = None;
        self.published.iter_mut().skip(retained).map(|record| std::mem::take(&mut record.documents)).collect()
    }

    fn find(&self, to: Target, retained: usize) -> Result<&Record, Refusal> {
        let mut known = self.published.iter().take(retained);
        match to {
            Target::Sequence(sequence) => known.find(|record| record.revision.sequence == sequence),
            Target::Digest(digest) => known.find(|record| record.revision.digest == digest),
            Target::Previous => {
                let active = known.next().ok_or(Refusal::NotReady)?;
                // Asked again, the one before that: what was gone back from is not gone forward to.
                let origin = self.origin(active);
                let earlier = known.find(|record| {
                    record.revision.sequence < origin && record.revision.digest != active.revision.digest
                });
                return earlier.ok_or(Refusal::NoEarlierRevision);
            }
        }
        .ok_or(Refusal::UnknownRevision(to))
    }

    /// The number under which the content of a record was first published by something else than by hand.
    fn origin(&self, record: &Record) -> u64 {
        let same = |other: &&Record| {
            other.revision.digest == record.revision.digest
                && other.revision.bundles == record.revision.bundles
                && other.cause != Cause::Activate
        };
        self.published.iter().find(same).map_or(record.revision.sequence, |first| first.revision.sequence)
    }
}

impl Held {
    /// One that has no source.
    pub(super) fn put() -> Self {
        Self {
            rules: Arc::default(),
            stale_after: None,
            source: None,
            location: String::new(),
            good: None,
            activated: None,
            confirmed: None,
            since: Instant::now(),
            failure: None,
        }
    }

    /// How long ago its source last said what is current.
    pub(super) fn age(&self) -> Option<Duration> {
        let Some(source) = &self.source else { return self.confirmed.map(|confirmed| confirmed.elapsed()) };
        let report = source.report();
        let last = match report.kind.is_remote() {
            true => report.last_success,
            // What is watched on this machine says nothing while nothing changes.
            false if report.failures == 0 => return report.last_success.map(|_| Duration::ZERO),
            false => report.last_success.and(report.last_attempt),
        };
        last.map(|last| last.elapsed())
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale_after.is_some_and(|limit| self.age().unwrap_or_else(|| self.since.elapsed()) > limit)
    }
}

impl Good {
    pub(super) fn kept(&self) -> Kept {
        Kept {
            digest: self.digest,
            revision: self.package.manifest.revision.clone(),
            trusted: self.trusted.clone(),
            roots: self.package.manifest.roots.clone().unwrap_or_else(|| vec![String::new()]),
        }
    }
}

/// The revision in the port's words.
pub(super) fn named(revision: &decision::Revision) -> crate::api::administration::Revision {
    let decision::Revision { sequence, digest, bundles } = revision;
    crate::api::administration::Revision { sequence: *sequence, digest: *digest, bundles: bundles.clone() }
}

/// Drops what may take long where that holds up nobody.
pub(super) fn drop_apart<T: Send + 'static>(what: T) {
    tokio::task::spawn_blocking(move || drop(what));
}

/// Drops what is no longer needed where that holds up nobody, once no question is decided on it any more.
pub(super) fn bury(Replaced(snapshots): Replaced) {
    if snapshots.is_empty() {
        return;
    }
    let bury = move || {
        let since = std::time::Instant::now();
        while snapshots.iter().any(|snapshot| Arc::strong_count(snapshot) > 1)
            && since.elapsed() < Duration::from_secs(30)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(snapshots);
    };
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(bury)),
        Err(_) => bury(),
    }
}
