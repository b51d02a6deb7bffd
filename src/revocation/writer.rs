//! The one thread that writes the file. All changes that came meanwhile share one commit.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    entry::{Id, Revocation, Target},
    key,
    registry::Inner,
    signal::{Attributes, Signal},
    store::{Filter, Store, Writing},
};

/// The most changes of one commit.
const TOGETHER: usize = 500;

/// How often what is over is taken out.
const SWEEP: Duration = Duration::from_secs(10);

/// How often tokens of transmitters are forgotten, which goes through all of them.
const FORGET: Duration = Duration::from_hours(1);

/// The most targets that one commit sweeps.
const SWEPT: usize = 10_000;

/// What is to change, all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The token that says so; one that was seen before changes nothing.
    pub seen: Option<Seen>,
    /// What is revoked.
    pub add: Vec<Revocation>,
    /// Which revocations end.
    pub remove: Vec<Id>,
    /// Which others end.
    pub lift: Vec<Lift>,
    /// What policies are told.
    pub signals: Vec<Signal>,
}

/// A transmitter's token.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whose.
    pub transmitter: String,
    /// Its `jti`.
    pub jti: String,
    /// Until when it is remembered, in seconds since 1970.
    pub until: u64,
}

/// Ends the revocations that an event of the same transmitter made.
#[derive(Clone, Debug)]
pub struct Lift {
    /// Of what.
    pub target: Target,
    /// The transmitter.
    pub source: String,
    /// The event that made them.
    pub event: String,
    /// What happened later stays.
    pub until: u64,
}

/// What a change came to.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Whether the token was seen before, so that nothing changed.
    pub replayed: bool,
    /// By which the new revocations are known, in their order.
    pub added: Vec<Id>,
    /// What ended.
    pub removed: Vec<(Id, Revocation)>,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no file to keep it in.
    #[error("nothing can be revoked, as it would be forgotten: set `revocation.store` to the path of a file")]
    Off,
    /// As many are held as may be.
    #[error("{0} revocations or signals are held; raise `revocation.max_entries`, or remove some")]
    Full(usize),
    /// An attribute is too long to be held for policies.
    #[error("an attribute is longer than {0} bytes")]
    TooLong(usize),
    /// As many changes as may wait are waiting.
    #[error("as many changes as may wait are waiting; try again in a moment")]
    Busy,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Stopping,
    /// It could not be written.
    #[error("`{path}` can't be written, so that what was revoked now is only revoked until the server ends: {cause}")]
    NotKept {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
}

/// A change, and who waits for it.
pub(super) enum Job {
    Change(Change, oneshot::Sender<Result<Done, Refused>>),
    /// Everything before it is done, and nothing after it.
    Stop,
}

/// The writing thread's work.
pub struct Writer {
    pub(super) inner: Arc<Inner>,
    pub(super) jobs: Receiver<Job>,
}

/// What a change did to the file, and so does to memory once that is durable.
#[derive(Default)]
struct Effects {
    done: Done,
    attributes: Vec<(u128, Attributes)>,
}

impl Writer {
    /// Whether there is anything to write to.
    #[must_use]
    pub fn has_file(&self) -> bool {
        self.inner.store.is_some()
    }

    /// Writes until the registry is closed. Holds the calling thread.
    pub fn run(self) {
        let Some(store) = self.inner.store.as_ref() else { return };
        let (mut swept, mut forgot) = (Instant::now(), Instant::now());
        loop {
            let first = match self.jobs.recv_timeout(SWEEP.saturating_sub(swept.elapsed())) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut changes = Vec::new();
            let mut stops = false;
            for job in first.into_iter().chain(self.jobs.try_iter().take(TOGETHER)) {
                match job {
                    Job::Change(change, reply) => changes.push((change, reply)),
                    Job::Stop => {
                        stops = true;
                        break;
                    }
                }
            }
            self.write(store, changes);
            if stops {
                return;
            }
            if swept.elapsed() >= SWEEP {
                let forget = forgot.elapsed() >= FORGET;
                self.sweep(store, forget);
                swept = Instant::now();
                if forget {
                    forgot = swept;
                }
            }
        }
    }

    fn write(&self, store: &Store, changes: Vec<(Change, oneshot::Sender<Result<Done, Refused>>)>) {
        if changes.is_empty() {
            return;
        }
        let written = store.write(|writing| {
            changes.iter().map(|(change, _)| self.apply(writing, change)).collect::<Result<Vec<_>, _>>()
        });
        match written {
            Ok(effects) => {
                for ((change, reply), effects) in changes.into_iter().zip(effects) {
                    let done = self.put_in_force(store, &change, effects);
                    // Who no longer waits asks for the list.
                    let _ = reply.send(Ok(done));
                }
            }
            Err(cause) => {
                let refused = Refused::NotKept { path: store.path(), cause };
                tracing::error!(changes = changes.len(), "{refused}");
                for (_, reply) in changes {
                    let _ = reply.send(Err(refused.clone()));
                }
            }
        }
    }

    fn apply(&self, writing: &mut Writing<'_>, change: &Change) -> Result<Effects, redb::Error> {
        let Change { seen, add, remove, lift, signals } = change;
        let mut effects = Effects::default();
        if let Some(Seen { transmitter, jti, until }) = seen
            && !writing.see(self.inner.keys.seen(transmitter, jti), *until)?
        {
            effects.done.replayed = true;
            return Ok(effects);
        }
        for revocation in add {
            let id = self.inner.keys.id(revocation);
            effects.done.added.push(id);
            if !revocation.source.is_empty() {
                // Transmitters say much the same again and again: of that, the last is kept.
                for (other, old) in writing.of(key::target_of(id))? {
                    if other != id && is_covered(&old, revocation) {
                        effects.done.removed.extend(writing.remove(other)?.map(|old| (other, old)));
                    }
                }
            }
            writing.add(id, revocation)?;
        }
        for id in remove {
            effects.done.removed.extend(writing.remove(*id)?.map(|old| (*id, old)));
        }
        for Lift { target, source, event, until } in lift {
            let key = self.inner.keys.target(target.kind, &target.issuer, &target.value);
            for (id, old) in writing.of(key)? {
                if old.source == *source && old.event == *event && old.at <= *until {
                    effects.done.removed.extend(writing.remove(id)?.map(|old| (id, old)));
                }
            }
        }
        for Signal { target, name, attribute } in signals {
            let key = self.inner.keys.target(target.kind, &target.issuer, &target.value);
            let mut attributes = writing.attributes(key)?.unwrap_or_else(|| Attributes::of(target));
            if attributes.set(name, attribute) {
                writing.set_attributes(key, &attributes)?;
                effects.attributes.push((key, attributes));
            }
        }
        Ok(effects)
    }

    /// What is durable now comes into force. What was revoked is already, unless an end of the same came between.
    fn put_in_force(&self, store: &Store, change: &Change, effects: Effects) -> Done {
        let Effects { done, attributes } = effects;
        for (id, old) in &done.removed {
            self.end_unless_kept(store, *id, old);
        }
        for revocation in &change.add {
            if done.replayed {
                // It was put in force before anybody knew that its token had come before: what is not on disk would
                // otherwise hold until a restart, and nobody could find or end it.
                self.end_unless_kept(store, self.inner.keys.id(revocation), revocation);
            } else {
                self.inner.enforce(revocation);
            }
        }
        for (key, attributes) in attributes {
            self.inner.tell(key, &attributes);
        }
        self.inner.turn();
        done
    }

    /// Ends a revocation in memory, where nothing on disk revokes the same: two such are held as one.
    fn end_unless_kept(&self, store: &Store, id: Id, old: &Revocation) {
        match store.list(&Filter::default(), Some(key::target_of(id)), None, usize::MAX) {
            Ok(page) if page.next.is_none() => {
                if !page.revocations.iter().any(|(_, other)| self.inner.is_held_as(other, old)) {
                    self.inner.end(id, old);
                }
            }
            Ok(_) => tracing::warn!("of so many revocations of one thing, an end comes into force with a restart"),
            Err(cause) => tracing::error!("an end of a revocation comes into force with a restart: {cause}"),
        }
    }

    fn sweep(&self, store: &Store, forget: bool) {
        let now = self.inner.now();
        let second = u32::try_from(now).unwrap_or(u32::MAX - 1);
        let over = self.inner.force.over(second);
        for keys in over.chunks(SWEPT) {
            let swept = store.write(|writing| {
                for key in keys {
                    for (id, old) in writing.of(*key)? {
                        if old.reach.is_over(now) {
                            writing.remove(id)?;
                        }
                    }
                }
                Ok(())
            });
            match swept {
                Ok(()) => keys.iter().for_each(|key| self.inner.force.sweep(*key, second)),
                // They are over all the same, and taken out with a later sweep.
                Err(cause) => tracing::warn!("revocations that are over can't be taken out: {cause}"),
            }
        }
        if forget && let Err(cause) = store.write(|writing| writing.forget_seen(now)) {
            tracing::warn!("tokens of transmitters can't be forgotten: {cause}");
        }
    }
}

/// Whether `new`, of the same event of the same transmitter, says all that `old` says.
fn is_covered(old: &Revocation, new: &Revocation) -> bool {
    let time = |time: Option<u64>| time.unwrap_or(u64::MAX);
    old.source == new.source
        && old.event == new.event
        && time(old.reach.issued_before) <= time(new.reach.issued_before)
        && time(old.reach.expires) <= time(new.reach.expires)
        && (new.reach.sessions || !old.reach.sessions)
}
