//! A query of a client's, read and answered where it holds up nobody.

use std::sync::{Arc, OnceLock};

use super::{Apart, GRACE};
use crate::{
    decision::{AdHoc, Diagnostic, PendingAnswer, Time, Verdict, code},
    policy::{
        budget::Budget,
        compile::Options,
        isolation::{self, Lane, What, Work},
        snapshot::ad_hoc::Put,
    },
};

impl Apart {
    /// Reads, checks and answers the query. Reading it takes of the patience, answering it of the budget.
    pub(in crate::policy::snapshot) fn ad_hoc(&self, query: AdHoc, options: Options, time: Time) -> PendingAnswer {
        let shared = Arc::clone(&self.shared);
        let refused = Arc::new(OnceLock::new());
        let refuses = Arc::clone(&refused);
        // One name for all, so that one that is stuck keeps out the others.
        let what = What { name: "query".into(), owner: Arc::as_ptr(&self.shared).addr() };
        let work: Work = Box::new(move |lane, left| {
            // Where it waits longest, as what a client writes may take any time.
            if lane == Lane::First {
                return None;
            }
            let budget = Budget::new(time.budget, left);
            let put = Put { query: &query, options, texts: &shared.parts.texts, budget };
            Some(put.to(&mut shared.fork()).unwrap_or_else(|faults: Vec<Diagnostic>| {
                let _ = refuses.set(faults);
                Verdict::default()
            }))
        });
        let answer = isolation::shared().run(what, time.patience.saturating_add(GRACE), work);
        Box::pin(async move {
            let answer = answer
                .await
                .unwrap_or_else(|_| Verdict::deny_for(code::INTERNAL_ERROR, "a query ended without an answer", None));
            match refused.get() {
                Some(faults) => Err(faults.clone()),
                None => Ok(answer),
            }
        })
    }
}
