//! The Decider: picks the snapshot, asks it, and makes sure that whatever happens is an answer.

mod held;

use std::{
    future::ready,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use futures::executor::block_on;

pub use self::held::Held;
use super::{
    query::{EntryPoint, Query},
    search::{PendingCandidates, SearchError, Searched},
    verdict::{Effect, Reason, Revision, Verdict, code},
};

/// The port behind which policies are evaluated: one immutable snapshot of policies and data.
pub trait Evaluator: Send + Sync {
    /// What this snapshot is called.
    fn revision(&self) -> Revision;

    /// Answers `query` at `entry` if that takes no longer than the calling thread may be held. Total: a failure is a
    /// deny with a diagnostic.
    fn attempt(&self, query: &Query, entry: &EntryPoint, time: Time) -> Option<Verdict>;

    /// Answers what [`Self::attempt`] did not, from the beginning, where it holds up nobody. Total, too.
    fn isolate(&self, query: Query, entry: &EntryPoint, time: Time) -> Pending;

    /// What the policies at `entry` name as candidates for the part of `query` that is searched for.
    fn candidates(&self, query: Query, searched: Searched, entry: &EntryPoint, time: Time) -> PendingCandidates {
        let (_, _) = (query, time);
        let fault = format!("`{entry}` has no rule `{}` beside it", searched.rule());
        Box::pin(ready(Err(SearchError::Unsupported(fault))))
    }

    /// Answers `query`, and holds the calling thread until then.
    fn evaluate(&self, query: &Query, entry: &EntryPoint, time: Time) -> Verdict {
        self.attempt(query, entry, time).unwrap_or_else(|| block_on(self.isolate(query.clone(), entry, time)))
    }
}

/// An answer to come.
pub type Pending = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// How long an evaluation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// The most of the processor's time.
    pub budget: Duration,
    /// The most of the time on the wall: what the caller still waits.
    pub patience: Duration,
}

/// Decides questions on the snapshot that is active when they arrive.
pub struct Decider {
    active: ArcSwapOption<Active>,
    default_policy: EntryPoint,
    budget: Duration,
}

/// One snapshot, held for as long as a batch takes.
pub struct Pinned<'a> {
    active: Arc<Active>,
    decider: &'a Decider,
}

struct Active(Arc<dyn Evaluator>);

impl Decider {
    /// A Decider without a snapshot. `budget` is the most of the processor's time that one evaluation may take.
    #[must_use]
    pub fn new(default_policy: EntryPoint, budget: Duration) -> Self {
        Self { active: ArcSwapOption::empty(), default_policy, budget }
    }

    /// Makes `snapshot` the one that every later question is decided on.
    pub fn publish(&self, snapshot: Arc<dyn Evaluator>) {
        self.active.store(Some(Arc::new(Active(snapshot))));
    }

    /// Whether there is a snapshot to decide on.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.active.load().is_some()
    }

    /// The entry point of questions that name none.
    #[must_use]
    pub fn default_policy(&self) -> &EntryPoint {
        &self.default_policy
    }

    /// Decides one question; `time_left` is what its caller still grants. `None` before the first snapshot: there is
    /// nothing to decide on, and the caller must treat that as a deny. A question that takes long holds no thread.
    pub async fn decide(&self, query: Query, time_left: Duration) -> Option<Verdict> {
        let step = {
            let active = self.active.load();
            self.first(active.as_deref()?, query, time_left)
        };
        Some(step.finish().await)
    }

    /// As [`Self::decide`], for callers who can wait: holds the calling thread until the answer.
    #[must_use]
    pub fn decide_blocking(&self, query: &Query, time_left: Duration) -> Option<Verdict> {
        let active = self.active.load_full()?;
        let (entry, time) = self.asked(query, time_left);
        let answer = catch_unwind(AssertUnwindSafe(|| active.0.evaluate(query, entry, time)));
        Some(finished(answer.unwrap_or_else(|_| panicked()), active.0.revision()))
    }

    /// Holds the active snapshot for several questions; `None` before the first.
    #[must_use]
    pub fn pin(&self) -> Option<Pinned<'_>> {
        Some(Pinned { active: self.active.load_full()?, decider: self })
    }

    fn asked<'a>(&'a self, query: &'a Query, time_left: Duration) -> (&'a EntryPoint, Time) {
        let time = Time { budget: self.budget.min(time_left), patience: time_left };
        (query.policy.as_ref().unwrap_or(&self.default_policy), time)
    }

    fn first(&self, active: &Active, query: Query, time_left: Duration) -> Step {
        let (entry, time) = self.asked(&query, time_left);
        let revision = active.0.revision();
        match catch_unwind(AssertUnwindSafe(|| active.0.attempt(&query, entry, time))) {
            Ok(Some(verdict)) => Step::Done(finished(verdict, revision)),
            Ok(None) => {
                let entry = entry.clone();
                let pending = catch_unwind(AssertUnwindSafe(|| active.0.isolate(query, &entry, time)));
                pending.map_or_else(|_| Step::Done(finished(panicked(), revision)), |it| Step::Pending(it, revision))
            }
            Err(_) => Step::Done(finished(panicked(), revision)),
        }
    }
}

/// How far a question is.
enum Step {
    Done(Verdict),
    Pending(Pending, Revision),
}

impl Step {
    async fn finish(self) -> Verdict {
        match self {
            Self::Done(verdict) => verdict,
            Self::Pending(pending, revision) => finished(pending.await, revision),
        }
    }
}

fn panicked() -> Verdict {
    Verdict::deny_for(code::INTERNAL_ERROR, "the evaluator panicked; the log names the place", None)
}

fn finished(mut verdict: Verdict, revision: Revision) -> Verdict {
    // A deny that nobody can explain is a defect, whoever forgot the reason.
    if verdict.effect == Effect::Deny && verdict.reasons.is_empty() {
        verdict.reasons.push(Reason::new(code::POLICY_DENIED, "the policy denied and gave no reason"));
    }
    verdict.revision = revision;
    verdict
}

impl Pinned<'_> {
    /// Decides one question on the held snapshot, as [`Decider::decide`] does.
    pub async fn decide(&self, query: Query, time_left: Duration) -> Verdict {
        self.decider.first(&self.active, query, time_left).finish().await
    }

    /// The held snapshot's name.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.active.0.revision()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Digest;

    /// Answers at once or later, or panics doing so.
    struct Fixed {
        at_once: fn() -> Option<Verdict>,
        later: fn() -> Verdict,
    }

    const REVISION: Revision = Revision { sequence: 7, digest: Digest([0; 32]) };

    impl Evaluator for Fixed {
        fn revision(&self) -> Revision {
            REVISION
        }

        fn attempt(&self, _: &Query, _: &EntryPoint, _: Time) -> Option<Verdict> {
            (self.at_once)()
        }

        fn isolate(&self, _: Query, _: &EntryPoint, _: Time) -> Pending {
            let later = self.later;
            later();
            Box::pin(async move { later() })
        }
    }

    fn decide(at_once: fn() -> Option<Verdict>, later: fn() -> Verdict) -> Verdict {
        let decider = Decider::new("data.authz".parse().unwrap(), Duration::from_millis(50));
        assert!(block_on(decider.decide(Query::default(), Duration::MAX)).is_none());
        decider.publish(Arc::new(Fixed { at_once, later }));
        let verdict = block_on(decider.decide(Query::default(), Duration::MAX)).unwrap();
        assert_eq!(decider.decide_blocking(&Query::default(), Duration::MAX).unwrap(), verdict);
        let pinned = block_on(decider.pin().unwrap().decide(Query::default(), Duration::MAX));
        assert_eq!(pinned, verdict);
        assert_eq!(verdict.effect, Effect::Deny);
        assert_eq!(verdict.revision, REVISION);
        verdict
    }

    #[test]
    fn denies_when_the_evaluator_panics() {
        for verdict in [decide(|| panic!("boom"), Verdict::default), decide(|| None, || panic!("boom"))] {
            assert_eq!(verdict.reasons[0].code, code::INTERNAL_ERROR);
        }
    }

    #[test]
    fn gives_a_deny_without_reasons_one() {
        for verdict in [decide(|| Some(Verdict::default()), || panic!("not asked")), decide(|| None, Verdict::default)]
        {
            assert_eq!(verdict.reasons[0].code, code::POLICY_DENIED);
        }
    }
}
