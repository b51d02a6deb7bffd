//! What a policy names as candidates of a search. Always asked apart: the rule may go through all of a set's data.

use std::{
    future::ready,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Duration,
};

use regorus::Value as Rego;

use super::{Apart, GRACE, Shared};
use crate::{
    decision::{EntryPoint, PendingCandidates, Query, SearchError, Searched, Time, Value, Verdict, code},
    policy::{
        budget::Budget,
        engine::Failure,
        isolation::{self, FIRST, Lane, What, Work},
        meter::{self, Stop},
        rejection,
        snapshot::MAX_RESULT,
        value,
    },
};

type Candidates = Result<Vec<Value>, SearchError>;

impl Apart {
    /// The candidates for the part of `query` that is searched for.
    pub(in crate::policy::snapshot) fn candidates(
        &self,
        query: Query,
        searched: Searched,
        entry: &EntryPoint,
        time: Time,
    ) -> PendingCandidates {
        let Some(rule) = self.shared.index.beside(entry, searched.rule()) else {
            let fault = format!(
                "the package of `{entry}` has no rule `{}`, which would name the candidates of this search",
                searched.rule()
            );
            return Box::pin(ready(Err(SearchError::Unsupported(fault))));
        };
        let granted = time.budget.min(time.patience);
        let (shared, name) = (Arc::clone(&self.shared), Arc::clone(&rule.name));
        let found = Arc::new(OnceLock::new());
        let finds = Arc::clone(&found);
        let what = What { name: Arc::clone(&name), owner: Arc::as_ptr(&self.shared).addr() };
        let work: Work = Box::new(move |lane, left| {
            let asked = AssertUnwindSafe(|| shared.named(&query, searched, &name, granted, (lane, left)));
            let candidates = catch_unwind(asked).unwrap_or_else(|_| {
                Some(Err(SearchError::Failed(format!("evaluation of `{name}` panicked; the log names the place"))))
            })?;
            let _ = finds.set(candidates);
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

impl Shared {
    /// What an isolated thread does with a search; `None` where it is not done in the first lane.
    fn named(
        &self,
        query: &Query,
        searched: Searched,
        name: &str,
        granted: Duration,
        (lane, left): (Lane, Duration),
    ) -> Option<Candidates> {
        let first = lane == Lane::First && FIRST < granted;
        let mut budget = Budget::new(if first { FIRST } else { granted }, left);
        let mut engine = self.fork();
        engine.search(query, searched);
        let answer = engine.rule(name, &mut budget);
        for line in engine.take_prints() {
            tracing::debug!(target: "verdict::print", printed = ?line);
        }
        let fault = match answer {
            Ok(value) => return Some(listed(&value, name)),
            Err(Failure::Budget) => match engine.stop() {
                Some(Stop::Spent(_, cause)) => cause.clone(),
                _ if first => return None,
                _ => format!("took longer than the {granted:?} that it may"),
            },
            Err(Failure::Error(error)) => {
                let texts = &self.parts.texts;
                texts.relocated(rejection::fault_of(&error, code::EVALUATION_ERROR, texts)).cause
            }
        };
        Some(Err(SearchError::Failed(format!("`{name}`: {fault}"))))
    }
}

/// The items of a set or array; none of what is undefined.
fn listed(value: &Rego, name: &str) -> Candidates {
    let fault = |fault: &str| Err(SearchError::Failed(format!("the value of `{name}` {fault}")));
    if meter::weigh(value, MAX_RESULT).is_err() {
        return fault("is too large for a search");
    }
    match value {
        Rego::Undefined => Ok(Vec::new()),
        Rego::Set(_) | Rego::Array(_) => match value::to_value(value) {
            Some(Value::Array(items)) => Ok(items),
            _ => fault("is nested too deep"),
        },
        _ => fault("is neither a set nor an array"),
    }
}
