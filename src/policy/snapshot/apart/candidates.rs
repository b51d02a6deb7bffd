//! Candidates of a search that take long to name.

use std::sync::{Arc, OnceLock};

use super::{Apart, GRACE};
use crate::{
    decision::{EntryPoint, PendingCandidates, Query, SearchError, Searched, Time, Verdict, code},
    policy::{
        budget::Budget,
        isolation::{self, FIRST, Lane, What, Work},
        snapshot::candidates::Named,
    },
};

impl Apart {
    /// Asks `rule` for the candidates, where that holds up nobody.
    pub(in crate::policy::snapshot) fn candidates(
        &self,
        query: Query,
        searched: Searched,
        rule: EntryPoint,
        time: Time,
    ) -> PendingCandidates {
        let granted = time.budget.min(time.patience);
        let shared = Arc::clone(&self.shared);
        let found = Arc::new(OnceLock::new());
        let finds = Arc::clone(&found);
        let what = What { name: rule.as_str().into(), owner: Arc::as_ptr(&self.shared).addr() };
        let work: Work = Box::new(move |lane, left| {
            let first = lane == Lane::First && FIRST < granted;
            let mut budget = Budget::new(if first { FIRST } else { granted }, left);
            let texts = &shared.parts.texts;
            let named = Named { query: &query, searched, rule: &rule, texts, most: usize::MAX, last: !first };
            let _ = finds.set(named.by(&mut shared.fork(), &mut budget)?);
            // An end of the work, which nobody takes for an answer.
            Some(Verdict::default())
        });
        let answer = isolation::shared().run(what, granted.saturating_add(GRACE), work);
        Box::pin(async move {
            let end = answer
                .await
                .unwrap_or_else(|_| Verdict::deny_for(code::INTERNAL_ERROR, "a search ended without an answer", None));
            // The watch's reason, where the work was not done in time.
            let fault = || end.reasons.into_iter().next().map(|reason| reason.message).unwrap_or_default();
            found.get().cloned().unwrap_or_else(|| Err(SearchError::Failed(fault())))
        })
    }
}
