//! The registry: what doors and verifiers hold.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, SyncSender, TrySendError},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::oneshot;

use super::{
    config::Config,
    entry::{Id, Kind, Reach, Revocation, Target},
    force::{Compact, InForce},
    key::{self, Keys},
    signal::{self, Attributes, LONGEST, Signal},
    store::{self, Filter, Found, OpenError, Page, Store},
    writer::{Change, Done, Job, Refused, Writer},
};
use crate::{clock, decision::Object};

/// The most changes that wait to be written.
const WAITING: usize = 1_024;

/// What is revoked. A handle: clones are the same registry.
#[derive(Clone)]
pub struct Registry(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) force: InForce,
    pub(super) keys: Keys,
    pub(super) store: Option<Store>,
    pub(super) signals: DashMap<u128, Arc<Object>>,
    /// Whether there are any, which each verification asks: the map would have to be locked for that.
    pub(super) signalled: AtomicBool,
    /// The configured issuers: their names, and how tokens name them.
    pub(super) issuers: ArcSwap<Vec<(String, String)>>,
    /// Transmitters and their events, by number; operators have 0.
    sources: Mutex<Vec<String>>,
    epoch: AtomicU64,
    /// How often something was said of a subject.
    told: AtomicU64,
    max_entries: u64,
    jobs: SyncSender<Job>,
    clock: fn() -> SystemTime,
}

/// What an operator revokes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoke {
    /// Which of the target's tokens.
    pub reach: Reach,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub author: String,
}

/// What the registry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Revocations by kind.
    pub revocations: Vec<(Kind, u64)>,
    /// Subjects with signals.
    pub signals: u64,
    /// How often what is in force has changed.
    pub epoch: u64,
}

impl Registry {
    /// Opens the file and reads it whole. What is damaged is an error, as nobody knows then what was revoked.
    pub fn open(config: &Config) -> Result<(Self, Writer), OpenError> {
        Self::open_at(config, clock::steady)
    }

    pub(super) fn open_at(config: &Config, clock: fn() -> SystemTime) -> Result<(Self, Writer), OpenError> {
        let (jobs, queue) = mpsc::sync_channel(WAITING);
        let force = InForce::new();
        let signals = DashMap::new();
        let mut sources = vec![String::new()];
        let (store, keys) = match &config.store {
            None => (None, Keys::new(&[0; 16])),
            Some(path) => {
                let now = seconds(clock());
                let opened = store::open(
                    path,
                    |_, id, revocation| {
                        let Revocation { target, reach, .. } = &revocation;
                        if !reach.is_over(now) {
                            let number = number(&mut sources, &origin(&revocation));
                            force.insert(key::target_of(id), Compact::new(target.kind, *reach, number));
                        }
                    },
                    |key, attributes| drop(signals.insert(key, Arc::new(attributes.shown()))),
                )?;
                if force.total() > config.max_entries as u64 {
                    return Err(OpenError::TooMany { path: path.clone(), limit: config.max_entries });
                }
                (Some(opened.store), opened.keys)
            }
        };
        let inner = Arc::new(Inner {
            force,
            keys,
            store,
            signalled: AtomicBool::new(!signals.is_empty()),
            signals,
            issuers: ArcSwap::default(),
            sources: Mutex::new(sources),
            epoch: AtomicU64::new(1),
            told: AtomicU64::new(1),
            max_entries: config.max_entries as u64,
            jobs,
            clock,
        });
        Ok((Self(Arc::clone(&inner)), Writer { inner, jobs: queue }))
    }

    /// Whether there is a file, so that something can be revoked.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.store.is_some()
    }

    /// Tells which issuers are configured: their names, and how tokens name them (`iss`, or `spiffe://` and the trust
    /// domain).
    pub fn know(&self, issuers: Vec<(String, String)>) {
        self.0.issuers.store(Arc::new(issuers));
    }

    /// The issuer as tokens name it, of its name in the configuration or that. `None` for one that is not configured.
    #[must_use]
    pub fn issuer(&self, given: &str) -> Option<String> {
        let issuers = self.0.issuers.load();
        issuers.iter().find(|(name, its)| name == given || its == given).map(|(_, its)| its.clone())
    }

    /// The configured issuers, as tokens name them.
    #[must_use]
    pub fn issuers(&self) -> Vec<String> {
        let issuers = self.0.issuers.load();
        issuers.iter().map(|(_, its)| its.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// How often what is in force has changed. What was decided at one epoch is not to be answered at another.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// Now, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.now()
    }

    /// Makes a change. What it revokes is in force at once; from the return on, all of it is, and outlives the process.
    pub async fn change(&self, change: Change) -> Result<Done, Refused> {
        let inner = &self.0;
        let Some(store) = &inner.store else { return Err(Refused::Off) };
        let more = change.add.len() as u64;
        if more > 0 && inner.force.total() + more > inner.max_entries {
            return Err(Refused::Full(usize::try_from(inner.max_entries).unwrap_or(usize::MAX)));
        }
        // Of whom something was said before, more may be said: that takes no more room.
        let is_new = |signal: &Signal| {
            let Target { kind, issuer, value } = &signal.target;
            !inner.signals.contains_key(&inner.keys.target(*kind, issuer, value))
        };
        if inner.signals.len() as u64 >= inner.max_entries && change.signals.iter().any(is_new) {
            return Err(Refused::Full(usize::try_from(inner.max_entries).unwrap_or(usize::MAX)));
        }
        if change.signals.iter().any(|signal| signal.attribute.value.to_string().len() > LONGEST) {
            return Err(Refused::TooLong(LONGEST));
        }
        if let Some(seen) = &change.seen {
            let known = store.has_seen(inner.keys.seen(&seen.transmitter, &seen.jti));
            if known.map_err(|cause| Refused::NotKept { path: store.path(), cause })? {
                return Ok(Done { replayed: true, ..Done::default() });
            }
        }
        for revocation in &change.add {
            inner.enforce(revocation);
        }
        inner.turn();
        let (reply, answer) = oneshot::channel();
        inner.jobs.try_send(Job::Change(change, reply)).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Disconnected(_) => Refused::Stopping,
        })?;
        answer.await.unwrap_or(Err(Refused::Stopping))
    }

    /// At most so many of the revocations that fit, after `after`. May read the disk, and hold the calling thread.
    pub fn list(&self, filter: &Filter, after: Option<Id>, most: usize) -> Result<Page, Refused> {
        let store = self.0.store.as_ref().ok_or(Refused::Off)?;
        let target = match (&filter.kind, &filter.issuer, &filter.value) {
            (Some(kind), Some(issuer), Some(value)) => Some(self.0.keys.target(*kind, issuer, value)),
            _ => None,
        };
        let page = store.list(filter, target, after, most);
        page.map_err(|cause| Refused::NotKept { path: store.path(), cause })
    }

    /// The revocation whose id begins with these hexadecimal digits, if there is one and no other. May read the disk, and
    /// hold the calling thread.
    pub fn find(&self, digits: &str) -> Result<Found, Refused> {
        let store = self.0.store.as_ref().ok_or(Refused::Off)?;
        let Some((first, last)) = Id::beginning(digits) else { return Ok(Found::None) };
        store.within(first, last).map_err(|cause| Refused::NotKept { path: store.path(), cause })
    }

    /// What is said of a target.
    #[must_use]
    pub fn said(&self, target: &Target) -> Option<Object> {
        self.0.said(target.kind, &target.issuer, &target.value)
    }

    /// How often something was said of a subject; it begins with 1.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.0.told.load(Ordering::Acquire)
    }

    /// What was said of all, as JSON: by issuer, then `subject`, `session` and so on, then by which. Of more than `most`,
    /// those of whom something was said last. Reads the disk, and holds the calling thread.
    pub fn everything_said(&self, most: usize) -> Result<serde_json::Value, Refused> {
        let Some(store) = &self.0.store else { return Ok(serde_json::Value::Object(serde_json::Map::new())) };
        let all = store.signals().map_err(|cause| Refused::NotKept { path: store.path(), cause })?;
        Ok(signal::by_issuer(all, most))
    }

    /// What it holds.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            revocations: self.0.force.counts().into_iter().filter(|(kind, _)| kind.revokes()).collect(),
            signals: self.0.signals.len() as u64,
            epoch: self.epoch(),
        }
    }

    /// Ends the writer once all that came before is written. Later changes are refused.
    pub fn close(&self) {
        // A writer that is gone needs no telling.
        let _ = self.0.jobs.send(Job::Stop);
    }
}

impl Inner {
    pub(super) fn now(&self) -> u64 {
        seconds((self.clock)())
    }

    /// Another epoch.
    pub(super) fn turn(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Puts a revocation in force, from its return on.
    pub(super) fn enforce(&self, revocation: &Revocation) {
        let Target { kind, issuer, value } = &revocation.target;
        self.force.insert(self.keys.target(*kind, issuer, value), self.compact(revocation));
    }

    /// Whether two revocations of one thing are held as one.
    pub(super) fn is_held_as(&self, one: &Revocation, other: &Revocation) -> bool {
        self.compact(one) == self.compact(other)
    }

    /// Ends a revocation.
    pub(super) fn end(&self, id: Id, old: &Revocation) {
        self.force.remove(key::target_of(id), self.compact(old));
    }

    /// Policies are told this from now on.
    pub(super) fn tell(&self, key: u128, attributes: &Attributes) {
        drop(self.signals.insert(key, Arc::new(attributes.shown())));
        self.signalled.store(true, Ordering::Relaxed);
        self.told.fetch_add(1, Ordering::AcqRel);
    }

    /// What is held of a revocation: of two that differ in their id, two that differ.
    fn compact(&self, revocation: &Revocation) -> Compact {
        let origin = origin(revocation);
        let number = if origin.is_empty() {
            0
        } else {
            number(&mut self.sources.lock().unwrap_or_else(PoisonError::into_inner), &origin)
        };
        Compact::new(revocation.target.kind, revocation.reach, number)
    }

    pub(super) fn said(&self, kind: Kind, issuer: &str, value: &str) -> Option<Object> {
        Some(Object::clone(self.signals.get(&self.keys.target(kind, issuer, value))?.value()))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Where a revocation comes from; empty for operators.
fn origin(Revocation { source, event, .. }: &Revocation) -> String {
    if source.is_empty() { String::new() } else { format!("{source} {event}") }
}

/// The number of a source, which gets one if it has none.
fn number(sources: &mut Vec<String>, source: &str) -> u16 {
    let at = sources.iter().position(|known| known == source).unwrap_or_else(|| {
        sources.push(source.to_owned());
        sources.len() - 1
    });
    u16::try_from(at).unwrap_or(u16::MAX)
}
