//! The Envoy door: `envoy.service.auth.v3.Authorization/Check` (external authorization, `ext_authz`) on the gRPC port.
//!
//! Envoy has two readings of a refusal: a denied response, and a call that failed. Only the first holds whatever its
//! `failure_mode_allow` says. So everything that can be answered is, by a denied response: a deny, a fault of the policy,
//! a request that can't be understood, even a message that can't be decoded.

mod answer;
mod attributes;
mod body;
mod codec;
mod config;
mod credential;
mod input;
mod mcp;
mod path;
mod service;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use envoy_types::ext_authz::v3::pb::CheckResponse;
use futures::FutureExt as _;
use prost_reflect::DescriptorPool;

pub use self::config::{Config, Form, IdHeader, InvalidIdHeader, InvalidSubject, SubjectFrom};
use self::{
    answer::{Extras, Outcome},
    codec::Received,
};
use super::{
    Observer,
    credentials::{Asked, Credential, Credentials, Refused},
    deadline::Deadline,
    grpc::{self, DecisionIds},
    settle::{Decided, DoorName},
    status::CallError,
};
use crate::decision::{Asks, Decider, EntryPoint, Query, Verdict, code};

/// The service, ready to be routed.
#[derive(Clone)]
pub struct Service(Arc<Door>);

struct Door {
    decider: Arc<Decider>,
    credentials: Arc<dyn Credentials>,
    observer: Arc<dyn Observer>,
    ids: DecisionIds,
    config: Config,
    policy: Option<EntryPoint>,
    /// What gRPC bodies are read by.
    descriptors: Option<DescriptorPool>,
    max_message_bytes: usize,
    request_timeout: Duration,
}

/// Why the file of `envoy.descriptors` is of no use.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{file}`: {cause}; write it with `buf build -o descriptors.pb` or `protoc --include_imports --descriptor_set_out`"
)]
pub struct DescriptorsError {
    file: String,
    cause: String,
}

impl Service {
    /// A service that asks `decider`, within the limits of the gRPC door.
    ///
    /// # Errors
    /// Where the file of descriptors can't be read.
    pub fn new(
        decider: Arc<Decider>,
        credentials: Arc<dyn Credentials>,
        observer: Arc<dyn Observer>,
        ids: DecisionIds,
        config: Config,
        grpc: &grpc::Config,
    ) -> Result<Self, DescriptorsError> {
        let descriptors = config.descriptors.as_deref().map(descriptors).transpose()?;
        if config.dry_run {
            tracing::warn!("`envoy.dry_run` is set: every request that Envoy asks about is let through");
        }
        let policy = match (&config.policy, config.form) {
            (Some(policy), _) => Some(policy.clone()),
            (None, Form::Attributes) => Some(EntryPoint::from_parts(["envoy", "authz", "allow"].map(str::to_owned))),
            (None, Form::Question) => None,
        };
        let (max_message_bytes, request_timeout) = (grpc.max_message_bytes, grpc.request_timeout);
        let door = Door {
            decider,
            credentials,
            observer,
            ids,
            config,
            policy,
            descriptors,
            max_message_bytes,
            request_timeout,
        };
        Ok(Self(Arc::new(door)))
    }
}

fn descriptors(file: &std::path::Path) -> Result<DescriptorPool, DescriptorsError> {
    let fault = |cause: String| DescriptorsError { file: file.display().to_string(), cause };
    let bytes = std::fs::read(file).map_err(|error| fault(error.to_string()))?;
    DescriptorPool::decode(bytes.as_slice()).map_err(|error| fault(format!("is no set of file descriptors: {error}")))
}

impl Door {
    /// Denies a check that is not looked at: nothing else would be taken for a deny.
    fn refuse(&self, error: CallError) -> CheckResponse {
        self.observer.failed(error.code().1);
        answer::response(Outcome::Failed(error), &(self.ids)(), &self.config)
    }

    /// Answers one check. Total: whatever goes wrong is a denied response.
    async fn check(&self, received: Received, deadline: Deadline) -> CheckResponse {
        let _call = self.observer.in_flight();
        let id = (self.ids)();
        let outcome = match AssertUnwindSafe(self.outcome(received, deadline, &id)).catch_unwind().await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                self.observer.failed(error.code().1);
                Outcome::Failed(error)
            }
            Err(_) => {
                self.observer.failed("INTERNAL_ERROR");
                Outcome::Panicked
            }
        };
        if self.config.dry_run {
            let (effect, reasons) = (outcome.effect(), outcome.reasons().join(" "));
            tracing::info!(decision_id = id, %effect, reasons, "dry run: answering OK");
        }
        answer::response(outcome, &id, &self.config)
    }

    async fn outcome(&self, received: Received, deadline: Deadline, id: &str) -> Result<Outcome, CallError> {
        let request = received.0.map_err(CallError::MalformedMessage)?;
        let request_id = input::request_id(&request);
        let query_sent = input::query_sent(&request);
        let mut request = request;
        let credential = self.config.bearer.then(|| credential::take(&mut request)).flatten();
        let mut query = input::query(request, &self.config, self.descriptors.as_ref()).await?;
        query.policy.clone_from(&self.policy);
        let asked = if self.config.bearer { self.asked(query, credential) } else { Asked::plain(query) };
        let started = Instant::now();
        let (query, verdict, mut extras) = match asked
            .admit(&*self.credentials, |query: &Query| self.decider.passes(query), deadline.left()?)
            .await?
        {
            Ok(query) => {
                let decided = self.decider.decide(&query, deadline.left()?).await;
                let decided = decided.ok_or(CallError::PoliciesNotReady)?;
                let (verdict, extras) = Self::sound(decided, &query, &query_sent);
                (query, verdict, extras)
            }
            Err(refused) => {
                let Refused { query, verdict } = *refused;
                let snapshot = self.decider.pin().ok_or(CallError::PoliciesNotReady)?;
                let verdict = Verdict { revision: snapshot.revision().clone(), ..verdict };
                let extras = Extras::unproven(!verdict.diagnostics.is_empty());
                (query, verdict, extras)
            }
        };
        let allowed = verdict.is_allow();
        let decided = Decided {
            door: DoorName::ENVOY,
            decision_id: id,
            request_id: &request_id,
            query: Some(&query),
            took: started.elapsed(),
        };
        let verdict = self.observer.decided(&decided, verdict).verdict().await;
        if verdict.is_allow() != allowed {
            // What the policy wanted said goes with its own verdict, not with the one that took its place.
            extras = Extras::default();
        }
        Ok(Outcome::Decided(Box::new((verdict, extras))))
    }

    /// A question whose subject is the token's, unless the enforcement point says another by a header or by metadata.
    fn asked(&self, query: Query, credential: Option<Credential>) -> Asked {
        let said =
            !matches!(self.config.subject, SubjectFrom::Principal) && query.subject.kind == self.config.subject_type;
        Asked::document(query, credential, said)
    }

    /// The verdict, and what Envoy is to be told along with it. Where that can't be said, there is no decision to act
    /// on: an allow would reach the service without the headers that the policy allowed it with.
    fn sound(verdict: Verdict, query: &Query, query_sent: &str) -> (Verdict, Extras) {
        let said = match query.asks {
            Asks::Document => verdict.value.as_deref(),
            Asks::Verdict => verdict.context.get("envoy"),
        };
        let read = said.map_or(Ok(Extras::default()), |said| Extras::read(said, verdict.is_allow(), query_sent));
        match read.and_then(|extras| extras.obliging(&verdict.obligations)) {
            Ok(extras) => (verdict, extras),
            Err(fault) => {
                let Verdict { revision, entry_point, .. } = verdict;
                let entry = entry_point.as_deref().unwrap_or("the policy");
                let deny = Verdict::deny_for(code::INVALID_DECISION, format!("`{entry}`: {fault}"), None);
                (Verdict { revision, entry_point, ..deny }, Extras::default())
            }
        }
    }
}
