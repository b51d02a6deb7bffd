//! A snapshot that is held for many questions, from many tasks.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use super::{Active, Decider};
use crate::decision::{
    AdHoc, At, Diagnostic, EntryPoint, NotAt, Query, Revision, SearchError, Searched, Time, Value, Verdict, gate,
};

/// As [`super::Pinned`], without a lifetime.
pub struct Held {
    active: Arc<Active>,
    retained: bool,
    decider: Arc<Decider>,
}

impl Decider {
    /// Holds the active snapshot; `None` before the first.
    #[must_use]
    pub fn hold(self: &Arc<Self>) -> Option<Held> {
        Some(Held { active: self.active.load_full()?, retained: false, decider: Arc::clone(self) })
    }

    /// As [`Self::pin_at`], without a lifetime.
    ///
    /// # Errors
    /// Where there is nothing, or what is asked for is not retained.
    pub async fn hold_at(self: &Arc<Self>, at: &At) -> Result<Held, NotAt> {
        let active = self.pin_at(at).await?.active;
        Ok(Held { active, retained: matches!(at, At::Revision(_)), decider: Arc::clone(self) })
    }
}

impl Held {
    /// The held snapshot's name.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.active.revision
    }

    /// What `query` is put to.
    #[must_use]
    pub fn entry_point<'a>(&'a self, query: &'a Query) -> &'a EntryPoint {
        query.policy.as_ref().unwrap_or(&self.decider.default_policy)
    }

    /// Decides one question on the held snapshot, as [`Decider::decide`] does.
    pub async fn decide(&self, query: &Query, time_left: Duration) -> Verdict {
        self.decider.first(&self.active, query, time_left, self.retained).finish().await
    }

    /// The same for a question of the server's own, which no caller asks: before it stands no gate.
    pub async fn decide_own(&self, query: &Query, time_left: Duration) -> Verdict {
        Decider::ungated(&self.active, query, self.decider.asked(query, time_left)).finish().await
    }

    /// Whether the caller may ask `query` at all.
    #[must_use]
    pub fn passes(&self, query: &Query) -> bool {
        gate::passed(self.decider.gate.as_deref(), query, self.entry_point(query), self.retained).is_some()
    }

    /// Answers a query in the policies' language on the held snapshot, within the budget of a question.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub async fn ad_hoc(&self, query: AdHoc, time_left: Duration) -> Result<Verdict, Vec<Diagnostic>> {
        let time = Time { budget: self.decider.budget.min(time_left), patience: time_left };
        let pending = catch_unwind(AssertUnwindSafe(|| self.active.evaluator.ad_hoc(query, time)));
        let verdict = match pending {
            Ok(pending) => pending.await?,
            Err(_) => super::panicked(),
        };
        let close = super::Close { revision: self.active.revision.clone(), good_for: None };
        Ok(close.finished(verdict))
    }

    /// The policies' files, in order: their names and their texts.
    #[must_use]
    pub fn policies(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.active.evaluator.policies()
    }

    /// What the policies name as candidates for the part of `query` that is searched for; the part's identity in
    /// `query` is not looked at.
    ///
    /// # Errors
    /// Where there is no such rule, or it gives no list.
    pub async fn candidates(
        &self,
        query: Query,
        searched: Searched,
        time_left: Duration,
    ) -> Result<Vec<Value>, SearchError> {
        let pending = {
            let (entry, time) = self.decider.asked(&query, time_left);
            let entry = entry.clone();
            let passed = gate::passed(self.decider.gate.as_deref(), &query, &entry, self.retained);
            let Some(query) = passed.map(Cow::into_owned) else {
                return Err(SearchError::Failed("the caller may not ask this".to_owned()));
            };
            catch_unwind(AssertUnwindSafe(|| self.active.evaluator.candidates(query, searched, &entry, time)))
        };
        match pending {
            Ok(pending) => pending.await,
            Err(_) => Err(SearchError::Failed("the evaluator panicked; the log names the place".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::decision::{Evaluator, Pending, PendingCandidates, Time};

    #[derive(Default)]
    struct Panics(Revision);

    impl Evaluator for Panics {
        fn revision(&self) -> &Revision {
            &self.0
        }

        fn attempt(&self, _: &Query, _: &EntryPoint, _: Time) -> Option<Verdict> {
            None
        }

        fn isolate(&self, _: Query, _: &EntryPoint, _: Time) -> Pending {
            Box::pin(async { Verdict::default() })
        }

        fn candidates(&self, query: Query, _: Searched, _: &EntryPoint, _: Time) -> PendingCandidates {
            assert!(query.explain, "boom");
            Box::pin(async { Ok(vec![Value::from("a")]) })
        }
    }

    #[test]
    fn what_is_published_again_is_held_by_its_new_number() {
        let decider = Arc::new(Decider::new("data.authz".parse().unwrap(), Duration::from_millis(50)));
        decider.publish(Arc::new(Panics(Revision { sequence: 1, ..Revision::default() })));
        decider.publish(Arc::new(Panics(Revision { sequence: 2, ..Revision::default() })));
        let held = decider.hold().unwrap();
        decider.republish(1, 3).unwrap();
        assert_eq!((held.revision().sequence, decider.hold().unwrap().revision().sequence), (2, 3));
    }

    #[test]
    fn a_search_that_panics_finds_nothing() {
        let decider = Arc::new(Decider::new("data.authz".parse().unwrap(), Duration::from_millis(50)));
        assert!(decider.hold().is_none());
        decider.publish(Arc::new(Panics::default()));
        let held = decider.hold().unwrap();
        let mut query = Query::default();
        let found = |query: &Query| block_on(held.candidates(query.clone(), Searched::Subject, Duration::MAX));
        assert!(matches!(found(&query), Err(SearchError::Failed(_))));
        query.explain = true;
        assert_eq!(found(&query), Ok(vec![Value::from("a")]));
        assert!(!block_on(held.decide(&query, Duration::MAX)).is_allow());
    }
}
