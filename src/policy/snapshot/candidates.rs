//! What a policy names as candidates of a search: tried at once, as questions are, and put apart if that takes long.

use std::{
    future::ready,
    panic::{AssertUnwindSafe, catch_unwind},
};

use regorus::Value as Rego;

use super::{
    Snapshot,
    asked::{MAX_RESULT, MAX_RESULT_INLINE},
};
use crate::{
    decision::{EntryPoint, PendingCandidates, Query, SearchError, Searched, Time, Value, code},
    policy::{
        budget::Budget,
        engine::{Engine, Failure},
        meter::{self, Limit, Place, Stop},
        rejection,
        text::Texts,
        value,
    },
};

pub(super) type Candidates = Result<Vec<Value>, SearchError>;

/// A search's question, put to an evaluator.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) query: &'a Query,
    pub(super) searched: Searched,
    /// The rule that names the candidates.
    pub(super) rule: &'a EntryPoint,
    pub(super) texts: &'a Texts,
    /// The most that the question may weigh to be answered here.
    pub(super) most: usize,
    /// Whether it is not put again elsewhere.
    pub(super) last: bool,
}

impl Snapshot {
    pub(super) fn named(&self, query: Query, searched: Searched, entry: &EntryPoint, time: Time) -> PendingCandidates {
        let Some(rule) = self.index.beside(entry, searched.rule()) else {
            let fault = format!(
                "the package of `{entry}` has no rule `{}`, which would name the candidates of this search",
                searched.rule()
            );
            return Box::pin(ready(Err(SearchError::Unsupported(fault))));
        };
        let rule = EntryPoint::from_parts(rule.parts.iter().cloned());
        match self.named_at_once(&query, searched, &rule, time) {
            Some(candidates) => Box::pin(ready(candidates)),
            None => self.apart.candidates(query, searched, rule, time),
        }
    }

    /// The candidates, if that takes no longer than the calling thread may be held.
    fn named_at_once(&self, query: &Query, searched: Searched, rule: &EntryPoint, time: Time) -> Option<Candidates> {
        if self.evaluators.is_empty() {
            return None;
        }
        let mut loan = self.evaluators.take(time.patience)?;
        let (engine, _, known) = loan.get()?;
        if self.apart.takes(query, rule, known) {
            return None;
        }
        engine.put(Place::Inline);
        let mut budget = Budget::slice(time.budget, time.patience);
        let named = Named { query, searched, rule, texts: &self.parts.texts, most: self.apart.large(), last: false };
        let candidates = named.by(engine, &mut budget);
        if candidates.is_none() && budget.is_late() {
            self.apart.distrust(rule);
        }
        candidates
    }
}

impl Named<'_> {
    /// The candidates; `None` where they must be asked for again elsewhere. Whatever the evaluator panics on is an
    /// error.
    pub(super) fn by(self, engine: &mut Engine, budget: &mut Budget) -> Option<Candidates> {
        catch_unwind(AssertUnwindSafe(|| self.ask(engine, budget))).unwrap_or_else(|_| {
            engine.reset();
            Some(Err(SearchError::Failed(format!("evaluation of `{}` panicked; the log names the place", self.rule))))
        })
    }

    fn ask(self, engine: &mut Engine, budget: &mut Budget) -> Option<Candidates> {
        let Self { query, searched, rule, texts, most, last } = self;
        if !engine.search(query, searched, most) {
            return None;
        }
        let answer = engine.rule(rule.as_str(), budget);
        for line in engine.take_prints() {
            tracing::debug!(target: "verdict::print", printed = ?line);
        }
        let fault = match answer {
            Ok(value) => {
                let inline = engine.place() == Place::Inline;
                return listed(&value, rule, if inline { MAX_RESULT_INLINE } else { MAX_RESULT }, !inline);
            }
            Err(Failure::Budget) => match engine.stop() {
                Some(Stop::Spent(_, cause)) => cause.clone(),
                _ if !last => return None,
                _ => "took longer than it may".to_owned(),
            },
            Err(Failure::Error(error)) => {
                texts.relocated(rejection::fault_of(&error, code::EVALUATION_ERROR, texts)).cause
            }
        };
        Some(Err(SearchError::Failed(format!("`{rule}`: {fault}"))))
    }
}

/// The items of a set or array; none of what is undefined. `None` for what is too large to be looked at here.
fn listed(value: &Rego, rule: &EntryPoint, limit: Limit, last: bool) -> Option<Candidates> {
    let fault = |fault: &str| Some(Err(SearchError::Failed(format!("the value of `{rule}` {fault}"))));
    if meter::weigh(value, limit).is_err() {
        return if last { fault("is too large for a search") } else { None };
    }
    match value {
        Rego::Undefined => Some(Ok(Vec::new())),
        Rego::Set(_) | Rego::Array(_) => match value::to_value(value) {
            Some(Value::Array(items)) => Some(Ok(items)),
            _ => fault("is nested too deep"),
        },
        _ => fault("is neither a set nor an array"),
    }
}
