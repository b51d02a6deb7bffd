//! What was decided on before: the retained snapshots, and whether the active one is as fresh as a caller wants.
//!
//! Nothing here is on the way of a question that asks for no certain revision.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwapOption;
use futures::channel::oneshot;

use super::{
    decider::{Active, Evaluator},
    verdict::Revision,
};

/// How many revisions of one bundle are known to have been active before.
const MOST_PAST: usize = 64;

/// Which snapshot a question is to be decided on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum At {
    /// The active one.
    #[default]
    Active,
    /// The active one, once it is at least this fresh.
    Fresh(Freshness),
    /// The retained one with that sequence number.
    Revision(u64),
}

/// The least that a snapshot must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// The least sequence number.
    pub sequence: u64,
    /// Revisions of bundles: each is active, or was, and newer content has taken its place.
    pub bundles: BTreeMap<String, String>,
}

/// Why a question can't be decided on the snapshot that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAt {
    /// There is none at all yet.
    #[error("no policies are active yet")]
    Nothing,
    /// The active one is not fresh enough.
    #[error("wanted at least {wanted}; active is {active}")]
    Stale {
        /// What was wanted.
        wanted: String,
        /// What is active.
        active: String,
    },
    /// It is not retained, or never was.
    #[error("revision {wanted} is not retained; these are: {}", listed(.retained))]
    Unknown {
        /// What was wanted.
        wanted: u64,
        /// What there is, the active one first.
        retained: Vec<u64>,
    },
}

/// Snapshots that nobody will ask any more, apart from questions that are under way.
#[derive(Default)]
pub struct Replaced(pub Vec<Arc<dyn Evaluator>>);

/// See the module.
pub(super) struct Past {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(super) struct Inner {
    // The active one first.
    snapshots: VecDeque<Arc<Active>>,
    // By bundle, the revisions that were active, the latest last.
    bundles: BTreeMap<String, Vec<String>>,
    pub(super) waiting: Vec<oneshot::Sender<()>>,
}

impl Past {
    pub(super) fn new(most: usize) -> Self {
        Self { most, inner: Mutex::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, pointer: &ArcSwapOption<Active>, active: Active) -> Replaced {
        let active = Arc::new(active);
        let mut inner = self.lock();
        let mut replaced = Vec::new();
        if let Some(front) = inner.snapshots.front_mut()
            && let Some(evaluator) = front.evaluator.resting()
        {
            let resting = Arc::new(Active { evaluator, revision: front.revision.clone() });
            replaced.push(Arc::clone(&std::mem::replace(front, resting).evaluator));
        }
        inner.snapshots.push_front(Arc::clone(&active));
        while inner.snapshots.len() > self.most {
            replaced.extend(inner.snapshots.pop_back().map(|last| Arc::clone(&last.evaluator)));
        }
        inner.remember(&active.revision);
        let last = pointer.swap(Some(active));
        for waiting in std::mem::take(&mut inner.waiting) {
            let _ = waiting.send(());
        }
        drop(inner);
        drop(last);
        Replaced(replaced)
    }

    pub(super) fn refresh(
        &self,
        pointer: &ArcSwapOption<Active>,
        sequence: u64,
        evaluator: Arc<dyn Evaluator>,
    ) -> Replaced {
        let mut inner = self.lock();
        let Some(front) = inner.snapshots.front_mut().filter(|front| front.revision.sequence == sequence) else {
            return Replaced(vec![evaluator]);
        };
        let fresh = Arc::new(Active { evaluator, revision: front.revision.clone() });
        let last = std::mem::replace(front, Arc::clone(&fresh));
        pointer.store(Some(fresh));
        Replaced(vec![Arc::clone(&last.evaluator)])
    }

    pub(super) fn find(&self, sequence: u64) -> Option<Arc<Active>> {
        self.lock().snapshots.iter().find(|active| active.revision.sequence == sequence).cloned()
    }

    pub(super) fn retained(&self) -> Vec<Revision> {
        self.lock().snapshots.iter().map(|active| active.revision.clone()).collect()
    }

    pub(super) fn unknown(&self, wanted: u64) -> NotAt {
        let retained = self.lock().snapshots.iter().map(|active| active.revision.sequence).collect();
        NotAt::Unknown { wanted, retained }
    }

    pub(super) fn instead(&self, at: &At) -> NotAt {
        let inner = self.lock();
        let Some(active) = inner.snapshots.front() else { return NotAt::Nothing };
        let active = &active.revision;
        match at {
            At::Active => NotAt::Nothing,
            At::Revision(wanted) => {
                drop(inner);
                self.unknown(*wanted)
            }
            At::Fresh(wanted) => {
                // What was not asked about is nobody's business.
                let bundles = active.bundles.iter().filter(|(name, _)| wanted.bundles.contains_key(*name));
                let bundles = bundles.map(|(name, revision)| (name.clone(), revision.clone())).collect();
                let is = Freshness { sequence: active.sequence, bundles };
                NotAt::Stale { wanted: wanted.to_string(), active: is.to_string() }
            }
        }
    }

    /// The active snapshot, once it is as fresh as that.
    pub(super) async fn fresh(&self, wanted: &Freshness) -> Arc<Active> {
        loop {
            let published = {
                let mut inner = self.lock();
                if let Some(active) = inner.fresh(wanted) {
                    return active;
                }
                let (sender, receiver) = oneshot::channel();
                // Those whose callers have given up must not add up until the next publication.
                if inner.waiting.len() == inner.waiting.capacity() {
                    inner.waiting.retain(|waiting| !waiting.is_canceled());
                }
                inner.waiting.push(sender);
                receiver
            };
            let _ = published.await;
        }
    }
}

impl Inner {
    fn fresh(&self, wanted: &Freshness) -> Option<Arc<Active>> {
        let active = self.snapshots.front()?;
        let known = |name: &String, revision: &String| {
            // Only of bundles that are still active.
            active.revision.bundles.contains_key(name)
                && self.bundles.get(name).is_some_and(|past| past.contains(revision))
        };
        let fresh = active.revision.sequence >= wanted.sequence
            && wanted.bundles.iter().all(|(name, revision)| known(name, revision));
        fresh.then(|| Arc::clone(active))
    }

    fn remember(&mut self, revision: &Revision) {
        self.bundles.retain(|name, _| revision.bundles.contains_key(name));
        for (name, revision) in &revision.bundles {
            let past = self.bundles.entry(name.clone()).or_default();
            // What was active after a revision that is now active again is no longer behind it, but ahead.
            match past.iter().position(|known| known == revision) {
                Some(at) => past.truncate(at + 1),
                None => past.push(revision.clone()),
            }
            if past.len() > MOST_PAST {
                past.remove(0);
            }
        }
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "revision {}", self.sequence)?;
        for (name, revision) in &self.bundles {
            write!(out, ", bundle `{name}` at `{revision}`")?;
        }
        Ok(())
    }
}

fn listed(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::{FutureExt as _, executor::block_on};

    use super::*;
    use crate::decision::{Decider, EntryPoint, Pending, Query, Time, Verdict};

    struct Named(Revision);

    impl Evaluator for Named {
        fn revision(&self) -> &Revision {
            &self.0
        }

        fn attempt(&self, _: &Query, _: &EntryPoint, _: Time) -> Option<Verdict> {
            Some(Verdict::default())
        }

        fn isolate(&self, _: Query, _: &EntryPoint, _: Time) -> Pending {
            Box::pin(async { Verdict::default() })
        }
    }

    fn decider() -> Decider {
        Decider::new("data.authz".parse().unwrap(), Duration::from_millis(50)).retaining(3)
    }

    fn publish(decider: &Decider, sequence: u64, revision: &str) -> usize {
        let bundles = BTreeMap::from([("a".to_owned(), revision.to_owned())]);
        let Replaced(dropped) = decider.publish(Arc::new(Named(Revision { sequence, bundles, ..Revision::default() })));
        dropped.len()
    }

    fn fresh(sequence: u64, revision: Option<&str>) -> At {
        let bundles = revision.map(|revision| ("a".to_owned(), revision.to_owned())).into_iter().collect();
        At::Fresh(Freshness { sequence, bundles })
    }

    fn pinned(decider: &Decider, at: &At) -> Option<u64> {
        decider.pin_at(at).now_or_never().map(|pinned| pinned.unwrap().revision().sequence)
    }

    #[test]
    fn the_last_snapshots_are_retained_and_no_more() {
        let decider = decider();
        let dropped: Vec<usize> = (1..=5).map(|sequence| publish(&decider, sequence, "r")).collect();
        assert_eq!(dropped, [0, 0, 0, 1, 1]);
        let retained: Vec<u64> = decider.retained().into_iter().map(|revision| revision.sequence).collect();
        assert_eq!(retained, [5, 4, 3]);
        assert_eq!(pinned(&decider, &At::Revision(4)), Some(4));
        let verdict = block_on(async {
            decider.pin_at(&At::Revision(3)).await.unwrap().decide(&Query::default(), Duration::MAX).await
        });
        assert_eq!(verdict.revision.sequence, 3);
        let unknown = decider.pin_at(&At::Revision(2)).now_or_never().unwrap().err().unwrap();
        assert_eq!(unknown.to_string(), "revision 2 is not retained; these are: 5, 4, 3");
    }

    #[test]
    fn a_retained_one_is_published_again_under_a_new_number() {
        let decider = decider();
        publish(&decider, 1, "one");
        publish(&decider, 2, "two");
        let (revision, ..) = decider.republish(1, 3).unwrap();
        assert_eq!((revision.sequence, revision.bundles["a"].as_str()), (3, "one"));
        assert_eq!(pinned(&decider, &At::Active), Some(3));
        assert!(decider.republish(9, 4).is_err());
        // What was rolled back is not behind what is active now.
        assert_eq!(pinned(&decider, &fresh(0, Some("one"))), Some(3));
        assert_eq!(pinned(&decider, &fresh(0, Some("two"))), None);
    }

    #[test]
    fn fresh_enough_is_what_is_active_or_was_before_it() {
        let decider = decider();
        assert_eq!(pinned(&decider, &fresh(0, None)), None);
        publish(&decider, 1, "one");
        publish(&decider, 2, "two");
        for at in [fresh(0, None), fresh(2, None), fresh(1, Some("one")), fresh(0, Some("two"))] {
            assert_eq!(pinned(&decider, &at), Some(2), "{at:?}");
        }
        for at in [fresh(3, None), fresh(0, Some("three")), fresh(3, Some("one"))] {
            assert_eq!(pinned(&decider, &at), None, "{at:?}");
        }
        let instead = decider.instead(&fresh(3, Some("three"))).to_string();
        assert_eq!(
            instead,
            "wanted at least revision 3, bundle `a` at `three`; active is revision 2, bundle `a` at `two`"
        );
    }

    #[test]
    fn who_waits_goes_on_with_the_publication() {
        let decider = Arc::new(decider());
        let waiting = Arc::clone(&decider);
        let thread = std::thread::spawn(move || {
            block_on(async { waiting.pin_at(&fresh(2, None)).await.unwrap().revision().sequence })
        });
        publish(&decider, 1, "one");
        std::thread::sleep(Duration::from_millis(5));
        publish(&decider, 2, "two");
        assert_eq!(thread.join().unwrap(), 2);
    }

    #[test]
    fn callers_that_gave_up_do_not_add_up() {
        let decider = decider();
        for _ in 0..10_000 {
            assert_eq!(pinned(&decider, &fresh(1, None)), None);
        }
        assert!(decider.past().lock().waiting.len() < 100);
    }
}
