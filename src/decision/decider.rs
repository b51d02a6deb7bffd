//! The Decider: picks the snapshot, asks it, and makes sure that whatever happens is an answer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;

use super::{
    query::{EntryPoint, Query},
    verdict::{Effect, Reason, Revision, Verdict, code},
};

/// The port behind which policies are evaluated: one immutable snapshot of policies and data.
pub trait Evaluator: Send + Sync {
    /// What this snapshot is called.
    fn revision(&self) -> Revision;

    /// Answers `query` at `entry` within that time. Total: a failure is a deny with a diagnostic.
    fn evaluate(&self, query: &Query, entry: &EntryPoint, time: Time) -> Verdict;
}

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
    /// nothing to decide on, and the caller must treat that as a deny.
    #[must_use]
    pub fn decide(&self, query: &Query, time_left: Duration) -> Option<Verdict> {
        let active = self.active.load();
        let active = active.as_deref()?;
        Some(self.ask(active, query, time_left))
    }

    /// Holds the active snapshot for several questions; `None` before the first.
    #[must_use]
    pub fn pin(&self) -> Option<Pinned<'_>> {
        Some(Pinned { active: self.active.load_full()?, decider: self })
    }

    fn ask(&self, active: &Active, query: &Query, time_left: Duration) -> Verdict {
        let entry = query.policy.as_ref().unwrap_or(&self.default_policy);
        let time = Time { budget: self.budget.min(time_left), patience: time_left };
        let answer = catch_unwind(AssertUnwindSafe(|| active.0.evaluate(query, entry, time)));
        let mut verdict = answer.unwrap_or_else(|_| {
            Verdict::deny_for(code::INTERNAL_ERROR, "the evaluator panicked; the log names the place", None)
        });
        // A deny that nobody can explain is a defect, whoever forgot the reason.
        if verdict.effect == Effect::Deny && verdict.reasons.is_empty() {
            verdict.reasons.push(Reason::new(code::POLICY_DENIED, format!("`{entry}` denied and gave no reason")));
        }
        verdict.revision = active.0.revision();
        verdict
    }
}

impl Pinned<'_> {
    /// Decides one question on the held snapshot.
    #[must_use]
    pub fn decide(&self, query: &Query, time_left: Duration) -> Verdict {
        self.decider.ask(&self.active, query, time_left)
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

    struct Fixed(Revision, fn() -> Verdict);

    impl Evaluator for Fixed {
        fn revision(&self) -> Revision {
            self.0
        }

        fn evaluate(&self, _: &Query, _: &EntryPoint, _: Time) -> Verdict {
            (self.1)()
        }
    }

    fn decide(answer: fn() -> Verdict) -> Verdict {
        let decider = Decider::new("data.authz".parse().unwrap(), Duration::from_millis(50));
        assert!(decider.decide(&Query::default(), Duration::MAX).is_none());
        decider.publish(Arc::new(Fixed(Revision { sequence: 7, digest: Digest::default() }, answer)));
        decider.decide(&Query::default(), Duration::MAX).unwrap()
    }

    #[test]
    fn denies_when_the_evaluator_panics() {
        let verdict = decide(|| panic!("boom"));
        assert_eq!(verdict.effect, Effect::Deny);
        assert_eq!(verdict.reasons[0].code, code::INTERNAL_ERROR);
        assert_eq!(verdict.revision.sequence, 7);
    }

    #[test]
    fn gives_a_deny_without_reasons_one() {
        let verdict = decide(Verdict::default);
        assert_eq!(verdict.effect, Effect::Deny);
        assert_eq!(verdict.reasons[0].code, code::POLICY_DENIED);
    }
}
