//! `verdict.v1.DecisionService` over the Decider.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt as _, future, stream};
use prost::Message as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Config, caught,
    deadline::{self, Deadline},
    limits::in_our_words,
    proto::{
        BatchCheckItem, BatchCheckRequest, BatchCheckResponse, BatchSemantics, CheckRequest, CheckResponse,
        CheckStreamRequest, CheckStreamResponse, Verdict as VerdictMessage, check_stream_response::Answer,
        decision_service_server::DecisionService,
    },
    question::{self, Defaults, Question},
    response,
};
use crate::{
    api::{
        Observer,
        caller::{self, Carried, outside},
        credentials::{Asked, Credentials, Refused},
        settle::{Decided, DoorName, Settled},
        status::{CallError, FieldViolation},
    },
    call::Carrier,
    decision::{At, Decider, Effect, Pinned, Query, Verdict, code},
};

/// Gives each decision its id.
pub type DecisionIds = Arc<dyn Fn() -> String + Send + Sync>;

/// What is kept of a caller's time to tell it that the snapshot it waits for did not come.
const TO_ANSWER: Duration = Duration::from_millis(50);

/// How long a batch may keep its thread before it lets other calls go on.
const TURN: Duration = Duration::from_micros(500);

/// The decision service.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    decider: Arc<Decider>,
    credentials: Arc<dyn Credentials>,
    observer: Arc<dyn Observer>,
    ids: DecisionIds,
    config: Config,
    draining: CancellationToken,
}

impl Service {
    /// A service that asks `decider`, and `credentials` whom a credential proves; once `draining` is cancelled, streams finish what they have and end.
    pub fn new(
        decider: Arc<Decider>,
        credentials: Arc<dyn Credentials>,
        observer: Arc<dyn Observer>,
        ids: DecisionIds,
        config: Config,
        draining: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner { decider, credentials, observer, ids, config, draining }))
    }
}

#[tonic::async_trait]
impl DecisionService for Service {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let _call = self.0.observer.in_flight();
        let deadline = Deadline::of(request.metadata(), self.0.config.request_timeout);
        let answer = async {
            let Question { request_id, asked, at } = question::question(request.into_inner());
            let asked = asked.map_err(CallError::InvalidQuery)?;
            let (verdict, id) = self.0.check(asked, &at, deadline, &request_id).await?;
            Ok(CheckResponse { verdict: Some(response::verdict(verdict, id, request_id)) })
        };
        caught(&*self.0.observer, answer).await
    }

    async fn batch_check(&self, request: Request<BatchCheckRequest>) -> Result<Response<BatchCheckResponse>, Status> {
        let _call = self.0.observer.in_flight();
        let deadline = Deadline::of(request.metadata(), self.0.config.request_timeout);
        let verdicts = Box::pin(self.0.batch(request.into_inner(), deadline));
        caught(&*self.0.observer, async { Ok(BatchCheckResponse { verdicts: verdicts.await? }) }).await
    }

    type CheckStreamStream = Pin<Box<dyn Stream<Item = Result<CheckStreamResponse, Status>> + Send>>;

    async fn check_stream(
        &self,
        request: Request<Streaming<CheckStreamRequest>>,
    ) -> Result<Response<Self::CheckStreamStream>, Status> {
        let call = self.0.observer.in_flight();
        let ends = deadline::timeout(request.metadata()).map(|asked| tokio::time::Instant::now() + asked);
        let inner = Arc::clone(&self.0);
        let draining = inner.draining.clone();
        let limit = inner.config.max_message_bytes;
        let asker = Carried::here();
        // A fault of the stream itself ends it, after the answers to what was read before it.
        let fault = Arc::new(OnceLock::new());
        let found = Arc::clone(&fault);
        let questions = request.into_inner().scan((), move |(), question| {
            future::ready(question.map_err(|status| found.set(in_our_words(status, limit))).ok())
        });
        let answers = questions.take_until(draining.clone().cancelled_owned()).map({
            let inner = Arc::clone(&inner);
            let carrier = Carrier::here();
            move |question: CheckStreamRequest| {
                let (inner, carrier, asker) = (Arc::clone(&inner), carrier.clone(), asker.clone());
                async move {
                    // On a task of its own, so that one stream can use every core. Awaited: none dies unseen.
                    let item = asker.scope(async move { Box::pin(inner.stream_item(question)).await });
                    // And gone with the stream.
                    let mut task = JoinSet::new();
                    task.spawn(carrier.carry(item));
                    let answer = task.join_next().await.and_then(Result::ok);
                    answer.ok_or_else(|| Status::internal("a decision's task ended without an answer"))
                }
            }
        });
        let answers = answers.buffer_unordered(inner.config.max_stream_in_flight);
        let expired = async move {
            match ends {
                Some(ends) => tokio::time::sleep_until(ends).await,
                None => future::pending().await,
            }
        };
        let closing = move || {
            let _call = &call;
            let passed = ends.is_some_and(|ends| tokio::time::Instant::now() >= ends);
            if let Some((status, reason)) = fault.get() {
                if let Some(reason) = reason {
                    inner.observer.failed(reason);
                }
                Some(Err(status.clone()))
            } else if passed {
                Some(Err(inner.failed(CallError::DeadlineExceeded)))
            } else if draining.is_cancelled() {
                Some(Err(inner.failed(CallError::Draining)))
            } else {
                None
            }
        };
        let last = stream::once(async move { closing() }).filter_map(future::ready);
        Ok(Response::new(Box::pin(answers.take_until(Box::pin(expired)).chain(last))))
    }
}

impl Inner {
    fn failed(&self, error: CallError) -> Status {
        self.observer.failed(error.code().1);
        error.into()
    }

    /// The verdict and its id.
    async fn check(
        &self,
        asked: Asked,
        at: &At,
        deadline: Deadline,
        request_id: &str,
    ) -> Result<(Verdict, String), CallError> {
        let started = Instant::now();
        let may = |query: &Query| self.decider.passes(query);
        let (query, verdict) = match asked.admit(&*self.credentials, may, deadline.left()?).await? {
            Ok(query) if *at == At::Active => {
                let verdict = self.decider.decide(&query, deadline.left()?).await;
                (query, verdict.ok_or(CallError::PoliciesNotReady)?)
            }
            Ok(query) => {
                self.may_wait(&query, at)?;
                let snapshot = self.pin(at, deadline).await?;
                let verdict = snapshot.decide(&query, deadline.left()?).await;
                (query, verdict)
            }
            Err(refused) => {
                let Refused { query, verdict } = *refused;
                self.may_wait(&query, at)?;
                let revision = self.pin(at, deadline).await?.revision().clone();
                (query, Verdict { revision, ..verdict })
            }
        };
        let id = (self.ids)();
        let verdict = self.settle((Some(&query), verdict), started, (&id, request_id)).verdict().await;
        Ok((verdict, id))
    }

    /// Who may not ask does not wait for what is to come either.
    fn may_wait(&self, query: &Query, at: &At) -> Result<(), CallError> {
        if matches!(at, At::Fresh(_)) {
            if !self.decider.passes(query) {
                return Err(CallError::PermissionDenied);
            }
            caller::undecided();
        }
        Ok(())
    }

    /// Tells of a verdict that is about to be answered.
    fn settle(
        &self,
        (query, verdict): (Option<&Query>, Verdict),
        started: Instant,
        (decision_id, request_id): (&str, &str),
    ) -> Settled {
        let decided = Decided { door: DoorName::GRPC, decision_id, request_id, query, took: started.elapsed() };
        self.observer.decided(&decided, verdict)
    }

    /// Holds the snapshot that is asked for. Of one that does not come in time this says so shortly before the deadline,
    /// so that the caller still hears it.
    async fn pin(&self, at: &At, deadline: Deadline) -> Result<Pinned<'_>, CallError> {
        let left = deadline.left()?;
        let patience = left.saturating_sub((left / 10).min(TO_ANSWER));
        let pinned = async {
            tokio::select! {
                biased;
                pinned = self.decider.pin_at(at) => Ok(pinned),
                () = tokio::time::sleep(patience) => Ok(Err(self.decider.instead(at))),
                () = self.draining.cancelled() => Err(CallError::Draining),
            }
        };
        Ok(outside(pinned).await???)
    }

    async fn batch(&self, request: BatchCheckRequest, deadline: Deadline) -> Result<Vec<VerdictMessage>, CallError> {
        let invalid = |violation| CallError::InvalidQuery(vec![violation]);
        let (defaults, semantics, items) = question::defaults(request).map_err(CallError::InvalidQuery)?;
        let semantics = BatchSemantics::try_from(semantics).map_err(|_| {
            invalid(FieldViolation::new("semantics", format!("is {semantics}, which is no BatchSemantics")))
        })?;
        let most = self.config.max_batch_items;
        if !(1..=most).contains(&items.len()) {
            let fault = format!("has {} items; a batch has from 1 to {most} (`grpc.max_batch_items`)", items.len());
            return Err(invalid(FieldViolation::new("items", fault)));
        }
        for query in items.iter().filter_map(|item| question::named(item, &defaults)) {
            self.may_wait(&query, &defaults.at)?;
        }
        // One snapshot for the whole batch, however long it takes.
        let snapshot = self.pin(&defaults.at, deadline).await?;
        let mut verdicts = Vec::with_capacity(items.len());
        let mut turn = Instant::now();
        for item in items {
            if turn.elapsed() > TURN {
                tokio::task::yield_now().await;
                turn = Instant::now();
            }
            let (effect, item) = self.item(item, &defaults, &snapshot, deadline.left()?).await?;
            verdicts.push(item);
            let stop = match semantics {
                BatchSemantics::Unspecified | BatchSemantics::ExecuteAll => false,
                BatchSemantics::DenyOnFirstDeny => effect == Effect::Deny,
                BatchSemantics::PermitOnFirstPermit => effect == Effect::Allow,
            };
            if stop {
                break;
            }
        }
        let answers = verdicts
            .into_iter()
            .map(|(request_id, id, settled)| async move { response::verdict(settled.verdict().await, id, request_id) });
        Ok(future::join_all(answers).await)
    }

    /// What an item came to: its request id, its decision id, and the verdict that is recorded meanwhile.
    async fn item(
        &self,
        item: BatchCheckItem,
        defaults: &Defaults,
        on: &Pinned<'_>,
        left: Duration,
    ) -> Result<(Effect, (String, String, Settled)), CallError> {
        let started = Instant::now();
        let Question { request_id, asked, at: _ } = question::item(item, defaults);
        let admitted = match asked {
            Ok(asked) => {
                let admitted = asked.admit(&*self.credentials, |query| self.decider.passes(query), left).await?;
                admitted.map_err(|refused| (Some(refused.query), refused.verdict))
            }
            Err(violations) => {
                let message = CallError::InvalidQuery(violations).to_string();
                Err((None, Verdict::deny_for(code::INVALID_QUERY, message, None)))
            }
        };
        let (query, verdict) = match admitted {
            Ok(query) => {
                let verdict = on.decide(&query, left.saturating_sub(started.elapsed())).await;
                (Some(query), verdict)
            }
            Err((query, verdict)) => (query, Verdict { revision: on.revision().clone(), ..verdict }),
        };
        let (effect, id) = (verdict.effect, (self.ids)());
        let settled = self.settle((query.as_ref(), verdict), started, (&id, &request_id));
        Ok((effect, (request_id, id, settled)))
    }

    /// The same of a question of a stream, in a place of its own.
    async fn one_of_many(
        &self,
        asked: Asked,
        at: &At,
        deadline: Deadline,
        (request_id, size): (&str, usize),
    ) -> Result<(Verdict, String), CallError> {
        let checked = Box::pin(self.check(asked, at, deadline, request_id));
        Carried::here().question(deadline.left()?, size, checked).await?
    }

    async fn stream_item(&self, request: CheckStreamRequest) -> CheckStreamResponse {
        let deadline = Deadline::within(self.config.request_timeout);
        let size = request.encoded_len();
        let CheckStreamRequest { question } = request;
        let Question { request_id, asked, at } = question::question(question.unwrap_or_default());
        let missing =
            request_id.is_empty().then(|| FieldViolation::new("request_id", "is missing; answers are matched by it"));
        let asked = match (asked, missing) {
            (Ok(asked), None) => Ok(asked),
            (asked, missing) => Err(asked.err().into_iter().flatten().chain(missing).collect()),
        };
        let verdict = match asked {
            // The stream was one call; each question of it is another.
            Ok(asked) => match caller::rate() {
                Ok(()) => self.one_of_many(asked, &at, deadline, (&request_id, size)).await,
                Err(too_many) => Err(too_many),
            },
            Err(violations) => Err(CallError::InvalidQuery(violations)),
        };
        let answer = match verdict {
            Ok((verdict, id)) => Answer::Verdict(response::verdict(verdict, id, request_id.clone())),
            Err(error) => {
                self.observer.failed(error.code().1);
                Answer::Error(response::call_error(&error))
            }
        };
        CheckStreamResponse { request_id, answer: Some(answer) }
    }
}
