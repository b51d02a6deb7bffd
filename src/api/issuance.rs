//! Questions of issuance, as every door asks them: one snapshot, one record, one answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Observer,
    grpc::DecisionIds,
    settle::{Decided, DoorName},
    status::{CallError, FieldViolation},
};
use crate::{
    decision::{Decider, EntryPoint, Pinned, Verdict},
    issuance::{Answer, Config, Issuance, Request, authorize},
};

/// Tells the time, in seconds since the epoch.
pub type Now = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Decides questions of issuance for the doors.
#[derive(Clone)]
pub struct Issuer {
    decider: Arc<Decider>,
    observer: Arc<dyn Observer>,
    ids: DecisionIds,
    config: Config,
    now: Now,
}

/// A question of issuance that was decided and recorded.
pub(super) struct Issued {
    pub(super) decision_id: String,
    /// Its context has the answer as `issuance`.
    pub(super) verdict: Verdict,
    pub(super) answer: Answer,
}

impl Issuer {
    /// One that asks `decider`.
    pub fn new(decider: Arc<Decider>, observer: Arc<dyn Observer>, ids: DecisionIds, config: Config, now: Now) -> Self {
        Self { decider, observer, ids, config, now }
    }

    pub(super) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// What questions of issuance are put to.
    pub(super) fn policy(&self) -> &EntryPoint {
        &self.config.policy
    }

    /// Holds the active snapshot, for one question or for all of a batch.
    pub(super) fn pin(&self) -> Result<Pinned<'_>, CallError> {
        self.decider.pin().ok_or(CallError::PoliciesNotReady)
    }

    /// Decides `request`, which comes from `door`, on a snapshot; `left` is what its caller still grants.
    pub(super) async fn authorize(
        &self,
        on: &Pinned<'_>,
        door: DoorName,
        request: &Request,
        request_id: &str,
        left: Duration,
    ) -> Result<Issued, CallError> {
        let violations = request.violations();
        if !violations.is_empty() {
            let violations = violations.into_iter().map(|found| FieldViolation::new(found.field, found.fault));
            return Err(CallError::InvalidQuery(violations.collect()));
        }
        let started = Instant::now();
        let Issuance { query, verdict, answer } = authorize(request, &self.config, on, (self.now)(), left).await;
        let (decision_id, took) = ((self.ids)(), started.elapsed());
        let decided = Decided { door, decision_id: &decision_id, request_id, query: Some(&query), took };
        let mut verdict = self.observer.decided(&decided, verdict).verdict().await;
        let granted = answer.allow;
        let answer = answer.under(&verdict);
        if granted && !answer.allow {
            // What could not be recorded is not in the answer either.
            verdict.context.insert("issuance".to_owned(), answer.to_object().into());
        }
        Ok(Issued { decision_id, verdict, answer })
    }
}
