//! Questions that take long: which they are, as far as that is known before, and putting them where they hold up
//! nobody.

mod ad_hoc;
mod candidates;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Release},
        },
        mpsc,
    },
    thread,
    time::{Duration, Instant},
    vec,
};

use regorus::Value as Rego;

use super::{Parts, Put};
use crate::{
    bundle::Bundle,
    decision::{EntryPoint, Explanation, Pending, Query, Time, Verdict, code},
    policy::{
        budget::{Budget, LONGEST_SLICE, slice, thread_time},
        engine::Engine,
        index::Index,
        isolation::{self, FIRST, Lane, STACK, ThreadId, What, Work},
        meter::Place,
    },
};

/// What a question's attributes may weigh to be put to an evaluator of the thread that serves it.
const LARGE: usize = 4_096;

/// The same where a policy calls `walk`, which regorus calls itself, and which copies the path to each node.
const LARGE_TO_WALK: usize = 512;

/// How long a new snapshot waits for its entry points to be tried out.
const TRYING_OUT: Duration = Duration::from_secs(2);

/// The processor's time that one of them may take before another thread goes on with the rest, and how many threads that
/// may be.
const STUCK: Duration = Duration::from_millis(40);
const MOST_TRIALS: usize = 16;

/// The most entry points without trust of which each evaluator has a copy.
const MOST_KNOWN: usize = 256;

/// How much later than its budget an isolated question is answered at the latest, to notice that it is spent.
const GRACE: Duration = Duration::from_millis(15);

/// The same for a question that asks for an explanation.
const GRACE_TO_EXPLAIN: Duration = Duration::from_secs(5);

/// The evaluator for questions that take long, and what is known of them.
#[derive(Clone)]
pub(super) struct Apart {
    shared: Arc<Shared>,
    large: usize,
}

/// What an evaluator knows of the entry points, so that asking it writes nothing shared.
#[derive(Default)]
pub(super) struct Known {
    version: u64,
    // Of more than a few, none has its own copy.
    many: bool,
    distrusted: BTreeSet<EntryPoint>,
}

struct Shared {
    engine: Mutex<Engine>,
    index: Index,
    parts: Arc<Parts>,
    trust: Trust,
}

/// The entry points that may not be asked on threads that serve: those that did not end soon, neither when they were
/// tried out nor since. What is stuck where nothing can interrupt it never does, and so takes no such thread along.
#[derive(Default)]
struct Trust {
    without: Mutex<BTreeSet<EntryPoint>>,
    // Rises with each change of it.
    version: AtomicU64,
}

/// Entry points that are being tried out.
struct Trial {
    left: Mutex<vec::IntoIter<EntryPoint>>,
    done: AtomicU64,
}

impl Apart {
    pub(super) fn new(engine: Engine, index: Index, parts: Arc<Parts>, bundle: &Bundle) -> Self {
        let walks = bundle.modules.iter().any(|module| module.text.contains("walk"));
        Self {
            shared: Arc::new(Shared {
                engine: Mutex::new(engine),
                index,
                parts,
                trust: Trust { version: AtomicU64::new(1), ..Trust::default() },
            }),
            large: if walks { LARGE_TO_WALK } else { LARGE },
        }
    }

    /// One more evaluator, which shares memory with the others that this made.
    pub(super) fn fork(&self) -> Engine {
        self.shared.fork()
    }

    /// The base data.
    pub(super) fn data(&self) -> Rego {
        self.shared.fork().data()
    }

    /// Whether a question is not to be tried on the thread that serves it, however small it is.
    pub(super) fn takes(&self, query: &Query, entry: &EntryPoint, known: &mut Known) -> bool {
        // What each rule answered is asked many times over.
        query.explain || !self.trusts(entry, known)
    }

    /// The most that a question may weigh to be tried there.
    pub(super) fn large(&self) -> usize {
        self.large
    }

    /// Takes `entry` from the threads that serve, until it ends soon elsewhere.
    pub(super) fn distrust(&self, entry: &EntryPoint) {
        self.shared.trust.remove(entry);
    }

    /// Asks each entry point an empty question, so that those that never end soon are known before the first real one.
    /// Returns after a while in any case; what is stuck then is left to the time that nobody wants.
    pub(super) fn try_out(&self, entries: Vec<EntryPoint>) {
        let all = entries.len() as u64;
        // Trusted by its answer, if that comes soon.
        *self.shared.trust.lock() = entries.iter().cloned().collect();
        let trial = Arc::new(Trial { left: Mutex::new(entries.into_iter()), done: AtomicU64::new(0) });
        let ends = Instant::now() + TRYING_OUT;
        for _ in 0..MOST_TRIALS {
            // The thread lives for as long as it may be named.
            let Some((thread, _living)) = self.trial(&trial) else { return };
            let mut done = trial.done.load(Acquire);
            let (mut since, mut used) = (Instant::now(), isolation::processor_time(thread));
            loop {
                thread::sleep(Duration::from_micros(200));
                let now = trial.done.load(Acquire);
                if now == all {
                    return;
                }
                if now != done {
                    (done, since, used) = (now, Instant::now(), isolation::processor_time(thread));
                }
                if Instant::now() > ends {
                    break;
                }
                // Not what it waited for the processor: a server is busy while it reloads.
                if since.elapsed() > STUCK && took(thread, used).is_none_or(|took| took > STUCK) {
                    break;
                }
            }
            isolation::yield_to_others(thread);
            if trial.lock().as_slice().is_empty() {
                return;
            }
            if Instant::now() > ends {
                // Those that were not tried are isolated until they once end soon.
                *trial.lock() = Vec::new().into_iter();
                return;
            }
        }
    }

    /// Starts a thread that tries entry points out, and lives at least until what is given back is dropped.
    fn trial(&self, trial: &Arc<Trial>) -> Option<(ThreadId, mpsc::Sender<()>)> {
        let (shared, trial) = (Arc::clone(&self.shared), Arc::clone(trial));
        let (sender, receiver) = mpsc::channel();
        let (living, named) = mpsc::channel();
        let work = move || {
            let _ = sender.send(isolation::this_thread());
            let (mut engine, query) = (shared.fork(), Query::default());
            // So that nothing is sent, and nothing large begun.
            engine.put(Place::Inline);
            loop {
                let Some(entry) = trial.lock().next() else { break };
                let put = shared.put(&query, &entry, LONGEST_SLICE);
                let before = thread_time();
                let ended = put.to(&mut engine, Budget::new(LONGEST_SLICE, TRYING_OUT)).is_ok();
                if ended && thread_time().saturating_sub(before) < LONGEST_SLICE {
                    shared.trust.add(&entry);
                }
                trial.done.fetch_add(1, Release);
            }
            // Not kept from the memory that a snapshot takes.
            drop((engine, shared, trial));
            let _ = named.recv();
        };
        thread::Builder::new().name("try out".to_owned()).stack_size(STACK).spawn(work).ok()?;
        Some((receiver.recv().ok()?, living))
    }

    /// Puts a question where it holds up nobody.
    pub(super) fn ask(&self, query: Query, entry: &EntryPoint, time: Time) -> Pending {
        let granted = time.budget.min(time.patience);
        let (shared, entry) = (Arc::clone(&self.shared), entry.clone());
        let explain = query.explain;
        let settled = Arc::new(OnceLock::new());
        let settles = Arc::clone(&settled);
        let what = What { name: entry.as_str().into(), owner: Arc::as_ptr(&self.shared).addr() };
        let work: Work = Box::new(move |lane, left| shared.answer(&query, &entry, granted, &settles, (lane, left)));
        // The first explanation makes an engine for all.
        let grace = if explain { GRACE_TO_EXPLAIN } else { GRACE };
        let answer = isolation::shared().run(what, granted.saturating_add(grace), work);
        Box::pin(async move {
            let answer = answer.await.unwrap_or_else(|_| {
                Verdict::deny_for(code::INTERNAL_ERROR, "an evaluation ended without an answer", None)
            });
            settled_or(settled.get(), answer)
        })
    }

    fn trusts(&self, entry: &EntryPoint, known: &mut Known) -> bool {
        let trust = &self.shared.trust;
        let version = trust.version.load(Acquire);
        if known.version != version {
            let without = trust.lock();
            let many = without.len() > MOST_KNOWN;
            let distrusted = if many { BTreeSet::new() } else { without.clone() };
            *known = Known { version, many, distrusted };
        }
        if known.many {
            return !trust.lock().contains(entry);
        }
        known.distrusted.is_empty() || !known.distrusted.contains(entry)
    }
}

impl Trust {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<EntryPoint>> {
        self.without.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, entry: &EntryPoint) {
        if self.lock().remove(entry) {
            self.version.fetch_add(1, Release);
        }
    }

    fn remove(&self, entry: &EntryPoint) {
        if self.lock().insert(entry.clone()) {
            self.version.fetch_add(1, Release);
        }
    }
}

impl Trial {
    fn lock(&self) -> MutexGuard<'_, vec::IntoIter<EntryPoint>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn fork(&self) -> Engine {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }

    fn put<'a>(&'a self, query: &'a Query, entry: &'a EntryPoint, granted: Duration) -> Put<'a> {
        let (index, parts, most) = (&self.index, &self.parts, usize::MAX);
        Put { index, parts, query, entry, found: index.entry(entry), granted, most, moves: true, settled: None }
    }

    /// What an isolated thread does with a question; `None` where it is not done in the first lane.
    fn answer(
        &self,
        query: &Query,
        entry: &EntryPoint,
        granted: Duration,
        settled: &OnceLock<Verdict>,
        (lane, left): (Lane, Duration),
    ) -> Option<Verdict> {
        // A fresh one each time: one that is stuck is never given back.
        let mut engine = self.fork();
        // An explanation takes what the answer leaves.
        let first = lane == Lane::First && FIRST < granted && !query.explain;
        let budget = Budget::new(if first { FIRST } else { granted }, left);
        let before = thread_time();
        let put = Put { settled: Some(settled), moves: first, ..self.put(query, entry, granted) };
        let verdict = put.to(&mut engine, budget).ok();
        let used = thread_time().saturating_sub(before);
        if used < LONGEST_SLICE {
            slice::too_short();
            self.trust.add(entry);
        } else if lane == Lane::First {
            slice::wasted();
        }
        verdict
    }
}

/// The processor's time that a thread has used since it had used that much, where the system says so.
fn took(thread: ThreadId, before: Option<Duration>) -> Option<Duration> {
    Some(isolation::processor_time(thread)?.saturating_sub(before?))
}

/// The answer; or the verdict, where there was one, and only its explanation did not end.
fn settled_or(settled: Option<&Verdict>, answer: Verdict) -> Verdict {
    match settled {
        Some(settled) if answer.explanation.is_none() => {
            let note = "no time was left to explain the answer".to_owned();
            Verdict { explanation: Some(Box::new(Explanation { note, ..Explanation::default() })), ..settled.clone() }
        }
        _ => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decision::Effect, policy::budget::Spent};

    #[test]
    fn an_explanation_that_does_not_end_leaves_the_verdict() {
        let allow = Verdict { effect: Effect::Allow, ..Verdict::default() };
        let expired = Spent::WallClock.deny("`p` took longer than it may", None);
        let answer = settled_or(Some(&allow), expired.clone());
        assert_eq!(answer.effect, Effect::Allow);
        assert_eq!(answer.explanation.unwrap().note, "no time was left to explain the answer");
        assert_eq!(settled_or(None, expired.clone()), expired);
        let explained = Verdict { explanation: Some(Box::default()), ..allow };
        assert_eq!(settled_or(Some(&expired), explained.clone()), explained);
    }
}
