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
    gate::{self, Gate},
    past::{At, NotAt, Past, Replaced},
    query::{EntryPoint, Input, Query},
    search::{PendingCandidates, SearchError, Searched},
    verdict::{Diagnostic, Effect, Reason, Revision, Verdict, code},
};

/// The port behind which policies are evaluated: one immutable snapshot of policies and data.
pub trait Evaluator: Send + Sync {
    /// What this snapshot is called when it is first published.
    fn revision(&self) -> &Revision;

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

    /// Answers a query in the policies' own language: [`Verdict::value`] is the array of its bindings. For whoever may ask
    /// anything; no question comes this way.
    fn ad_hoc(&self, query: AdHoc, time: Time) -> PendingAnswer {
        let (_, _) = (query, time);
        Box::pin(ready(Err(vec![Diagnostic {
            code: code::INTERNAL_ERROR.into(),
            message: "queries are not answered here".to_owned(),
            position: None,
        }])))
    }

    /// The policies' files, in order: their names and their texts.
    fn policies(&self) -> Vec<(Arc<str>, Arc<str>)> {
        Vec::new()
    }

    /// The packages that can be asked, in order.
    fn entry_points(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether something at `entry` may have a value that depends on what is asked: a rule there, or around.
    fn defines(&self, entry: &EntryPoint) -> bool {
        let _ = entry;
        true
    }

    /// What is left of it once it is retained only: the same answers, from less memory. `None` for itself.
    fn resting(&self) -> Option<Arc<dyn Evaluator>> {
        None
    }

    /// What answers as this one did before it was resting. At once: nothing is compiled. `None` for itself.
    fn awake(&self) -> Option<Arc<dyn Evaluator>> {
        None
    }

    /// What answers the same without sharing memory between threads, made anew: for what was woken. Takes long. `None`
    /// for itself.
    fn rebuilt(&self) -> Option<Arc<dyn Evaluator>> {
        None
    }

    /// Answers `query`, and holds the calling thread until then.
    fn evaluate(&self, query: &Query, entry: &EntryPoint, time: Time) -> Verdict {
        self.attempt(query, entry, time).unwrap_or_else(|| block_on(self.isolate(query.clone(), entry, time)))
    }
}

/// An answer to come.
pub type Pending = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// A query in the policies' language.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdHoc {
    /// Its text.
    pub text: String,
    /// What it sees as `input`.
    pub input: Input,
    /// As [`Query::strict`].
    pub strict: bool,
}

/// An answer to come, or what is wrong with the text that was asked.
pub type PendingAnswer = Pin<Box<dyn Future<Output = Result<Verdict, Vec<Diagnostic>>> + Send>>;

/// How long an evaluation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// The most of the processor's time.
    pub budget: Duration,
    /// The most of the time on the wall: what the caller still waits.
    pub patience: Duration,
}

/// How many snapshots are retained, the active one among them, unless it is said otherwise.
pub const RETAINED: usize = 8;

/// Decides questions on the snapshot that is active when they arrive, or on one that is retained.
pub struct Decider {
    active: ArcSwapOption<Active>,
    // Never on the way of a question that asks for no certain revision.
    past: Past,
    default_policy: EntryPoint,
    budget: Duration,
    gate: Option<Arc<dyn Gate>>,
}

/// One snapshot, held for as long as a batch takes.
pub struct Pinned<'a> {
    active: Arc<Active>,
    retained: bool,
    decider: &'a Decider,
}

/// A snapshot under the name that it was last published by.
pub(super) struct Active {
    pub(super) evaluator: Arc<dyn Evaluator>,
    pub(super) revision: Revision,
}

impl Decider {
    /// A Decider without a snapshot. `budget` is the most of the processor's time that one evaluation may take.
    #[must_use]
    pub fn new(default_policy: EntryPoint, budget: Duration) -> Self {
        Self { active: ArcSwapOption::empty(), past: Past::new(RETAINED), default_policy, budget, gate: None }
    }

    /// The same, with that many snapshots retained, the active one among them; at least one.
    #[must_use]
    pub fn retaining(self, snapshots: usize) -> Self {
        Self { past: Past::new(snapshots.max(1)), ..self }
    }

    /// The same, with a gate before every question.
    #[must_use]
    pub fn guarded(self, gate: Arc<dyn Gate>) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Makes `snapshot` the one that every later question is decided on, and retains the one that was. What is no
    /// longer needed is given back, as dropping it may take long.
    pub fn publish(&self, snapshot: Arc<dyn Evaluator>) -> Replaced {
        let revision = snapshot.revision().clone();
        self.past.publish(&self.active, Active { evaluator: snapshot, revision })
    }

    /// Makes the retained snapshot `sequence` the active one again, as revision `now`, and gives what answers now.
    pub fn republish(&self, sequence: u64, now: u64) -> Result<(Revision, Arc<dyn Evaluator>, Replaced), NotAt> {
        let retained = self.past.find(sequence).ok_or_else(|| self.past.unknown(sequence))?;
        let evaluator = retained.evaluator.awake().unwrap_or_else(|| Arc::clone(&retained.evaluator));
        let revision = Revision { sequence: now, ..retained.revision.clone() };
        let active = Active { evaluator: Arc::clone(&evaluator), revision: revision.clone() };
        Ok((revision, evaluator, self.past.publish(&self.active, active)))
    }

    /// Lets `snapshot`, which answers the same, take the place of the active one, if that is still `sequence`.
    pub fn refresh(&self, sequence: u64, snapshot: Arc<dyn Evaluator>) -> Replaced {
        self.past.refresh(&self.active, sequence, snapshot)
    }

    /// The retained revisions, the active one first.
    #[must_use]
    pub fn retained(&self) -> Vec<Revision> {
        self.past.retained()
    }

    /// Waits for the snapshot that `at` asks for, and holds it. Of what is not retained, this says so at once; what
    /// is not there yet is waited for as long as this is polled.
    pub async fn pin_at(&self, at: &At) -> Result<Pinned<'_>, NotAt> {
        let active = match at {
            At::Active => self.active.load_full().ok_or(NotAt::Nothing)?,
            At::Revision(sequence) => self.past.find(*sequence).ok_or_else(|| self.past.unknown(*sequence))?,
            At::Fresh(wanted) => self.past.fresh(wanted).await,
        };
        Ok(Pinned { active, retained: matches!(at, At::Revision(_)), decider: self })
    }

    /// Whether the gate lets this question pass, whatever it is decided on.
    #[must_use]
    pub fn passes(&self, query: &Query) -> bool {
        gate::passed(self.gate.as_deref(), query, query.policy.as_ref().unwrap_or(&self.default_policy), false)
            .is_some()
    }

    /// What there is instead of what `at` asks for.
    #[must_use]
    pub fn instead(&self, at: &At) -> NotAt {
        self.past.instead(at)
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
    pub async fn decide(&self, query: &Query, time_left: Duration) -> Option<Verdict> {
        let step = {
            let active = self.active.load();
            self.first(active.as_deref()?, query, time_left, false)
        };
        Some(step.finish().await)
    }

    /// As [`Self::decide`], for callers who can wait: holds the calling thread until the answer.
    #[must_use]
    pub fn decide_blocking(&self, query: &Query, time_left: Duration) -> Option<Verdict> {
        let active = self.active.load();
        let active = active.as_deref()?;
        let (entry, time) = self.asked(query, time_left);
        let answer = match gate::passed(self.gate.as_deref(), query, entry, false) {
            Some(query) => catch_unwind(AssertUnwindSafe(|| active.evaluator.evaluate(&query, entry, time))),
            None => Ok(Verdict::not_permitted()),
        };
        let close = Close { revision: active.revision.clone(), good_for: query.good_for };
        Some(close.finished(answer.unwrap_or_else(|_| panicked())))
    }

    /// Holds the active snapshot for several questions; `None` before the first.
    #[must_use]
    pub fn pin(&self) -> Option<Pinned<'_>> {
        Some(Pinned { active: self.active.load_full()?, retained: false, decider: self })
    }

    #[cfg(test)]
    pub(super) fn past(&self) -> &Past {
        &self.past
    }

    fn asked<'a>(&'a self, query: &'a Query, time_left: Duration) -> (&'a EntryPoint, Time) {
        let time = Time { budget: self.budget.min(time_left), patience: time_left };
        (query.policy.as_ref().unwrap_or(&self.default_policy), time)
    }

    fn first(&self, active: &Active, query: &Query, time_left: Duration, retained: bool) -> Step {
        let (entry, time) = self.asked(query, time_left);
        let Some(query) = gate::passed(self.gate.as_deref(), query, entry, retained) else {
            let close = Close { revision: active.revision.clone(), good_for: None };
            return Step::Done(close.finished(Verdict::not_permitted()));
        };
        Self::ungated(active, &query, (entry, time))
    }

    fn ungated(active: &Active, query: &Query, (entry, time): (&EntryPoint, Time)) -> Step {
        let close = Close { revision: active.revision.clone(), good_for: query.good_for };
        match catch_unwind(AssertUnwindSafe(|| active.evaluator.attempt(query, entry, time))) {
            Ok(Some(verdict)) => Step::Done(close.finished(verdict)),
            Ok(None) => match catch_unwind(AssertUnwindSafe(|| active.evaluator.isolate(query.clone(), entry, time))) {
                Ok(pending) => Step::Pending(pending, close),
                Err(_) => Step::Done(close.finished(panicked())),
            },
            Err(_) => Step::Done(close.finished(panicked())),
        }
    }
}

/// How far a question is.
enum Step {
    Done(Verdict),
    Pending(Pending, Close),
}

impl Step {
    async fn finish(self) -> Verdict {
        match self {
            Self::Done(verdict) => verdict,
            Self::Pending(pending, close) => close.finished(pending.await),
        }
    }
}

fn panicked() -> Verdict {
    Verdict::deny_for(code::INTERNAL_ERROR, "the evaluator panicked; the log names the place", None)
}

/// What a verdict gets that is not the policy's to say.
pub(super) struct Close {
    revision: Revision,
    good_for: Option<Duration>,
}

impl Close {
    fn finished(self, mut verdict: Verdict) -> Verdict {
        // A deny that nobody can explain is a defect, whoever forgot the reason.
        if verdict.effect == Effect::Deny && verdict.reasons.is_empty() {
            verdict.reasons.push(Reason::new(code::POLICY_DENIED, "the policy denied and gave no reason"));
        }
        verdict.revision = self.revision;
        // An answer that can't be reused for any time says none.
        let most = self.good_for.unwrap_or(Duration::MAX);
        verdict.ttl = verdict.ttl.map(|ttl| ttl.min(most)).filter(|ttl| self.good_for.is_none() || !ttl.is_zero());
        verdict
    }
}

impl Pinned<'_> {
    /// Decides one question on the held snapshot, as [`Decider::decide`] does.
    pub async fn decide(&self, query: &Query, time_left: Duration) -> Verdict {
        self.decider.first(&self.active, query, time_left, self.retained).finish().await
    }

    /// The same for a question of the server's own, which no caller asks: before it stands no gate.
    pub async fn decide_own(&self, query: &Query, time_left: Duration) -> Verdict {
        Decider::ungated(&self.active, query, self.decider.asked(query, time_left)).finish().await
    }

    /// The held snapshot's name.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.active.revision
    }

    /// Whether something at `entry` may have a value that depends on what is asked.
    #[must_use]
    pub fn defines(&self, entry: &EntryPoint) -> bool {
        self.active.evaluator.defines(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::decision::Digest;

    /// Answers at once or later, or panics doing so.
    struct Fixed {
        at_once: fn() -> Option<Verdict>,
        later: fn() -> Verdict,
    }

    static REVISION: Revision = Revision { sequence: 7, digest: Digest([0; 32]), bundles: BTreeMap::new() };

    impl Evaluator for Fixed {
        fn revision(&self) -> &Revision {
            &REVISION
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
        assert!(block_on(decider.decide(&Query::default(), Duration::MAX)).is_none());
        decider.publish(Arc::new(Fixed { at_once, later }));
        let verdict = block_on(decider.decide(&Query::default(), Duration::MAX)).unwrap();
        assert_eq!(decider.decide_blocking(&Query::default(), Duration::MAX).unwrap(), verdict);
        let pinned = block_on(decider.pin().unwrap().decide(&Query::default(), Duration::MAX));
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
