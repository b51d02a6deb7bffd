//! Questions that take long: which they are, as far as that is known before, and putting them where they hold up
//! nobody.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::Put;
use crate::{
    bundle::Bundle,
    decision::{EntryPoint, Pending, Query, Reason, Time, Verdict, code},
    policy::{
        budget::{Budget, LONGEST_SLICE, Spent, slice, thread_time},
        engine::Engine,
        index::Index,
        isolation::{self, FIRST, Lane, Work},
        meter,
        text::Texts,
    },
};

/// What a question's attributes may weigh to be put to an evaluator of the thread that serves it.
const LARGE: usize = 4_096;

/// The same where a policy calls `walk`, which regorus calls itself, and which copies the path to each node.
const LARGE_TO_WALK: usize = 512;

/// How long an entry point that held a thread for too long is kept from the threads that serve.
const KEPT: Duration = Duration::from_secs(10);

/// How much later than its budget an isolated question is answered at the latest, to notice that it is spent.
const GRACE: Duration = Duration::from_millis(15);

/// The most entry points that are kept.
const MAX_KEPT: usize = 1_000;

/// The evaluator for questions that take long, and what is known of them.
pub(super) struct Apart {
    shared: Arc<Shared>,
    large: usize,
    kept: Mutex<BTreeMap<EntryPoint, Instant>>,
    // Whether any is; read for every question.
    any_kept: AtomicBool,
}

struct Shared {
    engine: Mutex<Engine>,
    index: Index,
    texts: Arc<Texts>,
}

impl Apart {
    pub(super) fn new(engine: Engine, index: Index, texts: Arc<Texts>, bundle: &Bundle) -> Self {
        let walks = bundle.modules.iter().any(|module| module.text.contains("walk"));
        Self {
            shared: Arc::new(Shared { engine: Mutex::new(engine), index, texts }),
            large: if walks { LARGE_TO_WALK } else { LARGE },
            kept: Mutex::default(),
            any_kept: AtomicBool::new(false),
        }
    }

    /// Whether a question is not to be tried on the thread that serves it.
    pub(super) fn takes(&self, query: &Query, entry: &EntryPoint) -> bool {
        // What each rule answered is asked many times over.
        query.explain || self.is_large(query) || (self.any_kept.load(Relaxed) && self.keeps(entry))
    }

    /// Keeps `entry` from the threads that serve, for a while.
    pub(super) fn keep(&self, entry: &EntryPoint) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT {
            kept.insert(entry.clone(), Instant::now());
            self.any_kept.store(true, Relaxed);
        }
    }

    /// Puts a question where it holds up nobody.
    pub(super) fn ask(&self, query: Query, entry: &EntryPoint, time: Time) -> Pending {
        let granted = time.budget.min(time.patience);
        let (shared, entry) = (Arc::clone(&self.shared), entry.clone());
        let what = Arc::from(entry.as_str());
        let work: Work = Box::new(move |lane, left| shared.answer(&query, &entry, granted, lane, left));
        let answer = isolation::shared().run(what, granted.saturating_add(GRACE), work);
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| {
                Verdict::deny_for(code::INTERNAL_ERROR, "an evaluation ended without an answer", None)
            })
        })
    }

    fn is_large(&self, query: &Query) -> bool {
        let mut left = self.large;
        let Query { subject, action, resource, context, policy: _, explain: _ } = query;
        let objects = [&subject.properties, &action.properties, &resource.properties, context];
        !objects.into_iter().all(|object| meter::weigh_object(object, &mut left))
    }

    fn keeps(&self, entry: &EntryPoint) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, since| since.elapsed() < KEPT);
        self.any_kept.store(!kept.is_empty(), Relaxed);
        kept.contains_key(entry)
    }
}

impl Shared {
    /// What an isolated thread does with a question; `None` where it is not done in the first lane.
    fn answer(
        &self,
        query: &Query,
        entry: &EntryPoint,
        granted: Duration,
        lane: Lane,
        left: Duration,
    ) -> Option<Verdict> {
        // A fresh one each time: one that is stuck is never given back.
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner).fork();
        // An explanation takes what the answer leaves.
        let first = lane == Lane::First && FIRST < granted && !query.explain;
        let budget = Budget::new(if first { FIRST } else { granted }, left);
        let before = thread_time();
        let put = Put { index: &self.index, texts: &self.texts, query, entry, granted };
        let verdict = put.to(&mut engine, budget).ok()?;
        let used = thread_time().saturating_sub(before);
        if used < LONGEST_SLICE {
            slice::too_short();
        } else if lane == Lane::First {
            slice::wasted();
        }
        let unfinished = first && verdict.reasons.iter().any(is_out_of_time);
        (!unfinished).then_some(verdict)
    }
}

/// Whether a reason says that the time was too short.
fn is_out_of_time(reason: &Reason) -> bool {
    reason.code == code::BUDGET_EXCEEDED && reason.properties.get("budget") == Some(&Spent::WallClock.name().into())
}
