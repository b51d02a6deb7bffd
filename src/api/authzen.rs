//! The AuthZEN door: OpenID Authorization API 1.0 over HTTP (§10.1).
//!
//! A deny is 200; an error is a status and a line of text (§10.1.7), and an enforcement point must take it for a deny.
//! This door brings no fallback of its own for paths that it does not have: it is merged into another router.

pub(super) mod answer;
mod evaluations;
mod freshness;
mod issuance;
mod metadata;
mod page;
pub(super) mod request;
mod search;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::FutureExt as _;
use serde_json::Value as Json;

pub use self::metadata::{InvalidPublicUrl, PublicUrl};
use self::{evaluations::Semantic, page::Pages};
use super::{
    Observer, caller,
    credentials::{Asked, Credential, CredentialAt, Credentials, Nobody, Refused},
    deadline::Deadline,
    grpc::DecisionIds,
    issuance::Issuer,
    json,
    search::Config as SearchConfig,
    settle::{Decided, DoorName, Settled},
    status::{CallError, FieldViolation},
};
use crate::decision::{At, Decider, Object, Pinned, Query, Revision, Searched, Value, Verdict};

/// The longest request id that is echoed, in bytes.
const MAX_REQUEST_ID: usize = 256;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const DECISION_ID: HeaderName = HeaderName::from_static("verdict-decision-id");
const REVISION: HeaderName = HeaderName::from_static("verdict-revision");

/// Settings of this door.
#[derive(Clone, Debug)]
pub struct Config {
    /// The largest body that is read, in bytes.
    pub max_body_bytes: usize,
    /// The longest that a request may take.
    pub request_timeout: Duration,
    /// Where clients find this door; `None` for what the request's `Host` says.
    pub public_url: Option<PublicUrl>,
    /// Where a question has its credential.
    pub credential_at: CredentialAt,
}

/// What the door asks, and its settings.
pub struct Door {
    decider: Arc<Decider>,
    observer: Arc<dyn Observer>,
    ids: DecisionIds,
    config: Config,
    max_items: usize,
    search: SearchConfig,
    issuer: Issuer,
    pages: Pages,
    credentials: Arc<dyn Credentials>,
}

/// What a request says beside its body.
struct Call {
    /// What its caller calls it; may be empty.
    request_id: String,
    /// What it is to be decided on.
    at: At,
    deadline: Deadline,
}

/// An answer of status 200.
struct Answer {
    body: Json,
    revision: Revision,
    /// Of a single decision, or of a search.
    decision_id: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            request_timeout: Duration::from_secs(1),
            public_url: None,
            credential_at: CredentialAt::default(),
        }
    }
}

impl Door {
    /// A door that asks `decider`, and `issuer` where tokens are to be issued, with at most `max_items` evaluations in a
    /// request.
    ///
    /// # Errors
    /// Where the system gives no random key for the tokens of pages.
    pub fn new(
        decider: Arc<Decider>,
        (observer, ids): (Arc<dyn Observer>, DecisionIds),
        config: Config,
        max_items: usize,
        search: SearchConfig,
        issuer: Issuer,
    ) -> Result<Self, NoRandomness> {
        Ok(Self {
            decider,
            observer,
            ids,
            config,
            max_items,
            search,
            issuer,
            pages: Pages::new()?,
            credentials: Arc::new(Nobody),
        })
    }

    async fn evaluation(&self, request: Request) -> Result<Answer, CallError> {
        let call = self.call(request.headers())?;
        let object = request::object(request, self.config.max_body_bytes, call.deadline).await?;
        self.single(object, &call).await
    }

    async fn single(&self, object: Object, call: &Call) -> Result<Answer, CallError> {
        let asked = self.asked(object, None)?;
        if let Some(query) = asked.unproven().filter(|query| issuance::is_gate(query)) {
            return self.gate(query.clone(), call).await;
        }
        let started = Instant::now();
        let (query, verdict) = match asked
            .admit(&*self.credentials, |query: &Query| self.decider.passes(query), call.deadline.left()?)
            .await?
        {
            Ok(query) if call.at == At::Active => {
                let verdict = self.decider.decide(&query, call.deadline.left()?).await;
                (query, verdict.ok_or(CallError::PoliciesNotReady)?)
            }
            Ok(query) => {
                self.may_wait(&query, call)?;
                let verdict = self.pin(call).await?.decide(&query, call.deadline.left()?).await;
                (query, verdict)
            }
            Err(refused) => {
                let Refused { query, verdict } = *refused;
                self.may_wait(&query, call)?;
                let revision = self.pin(call).await?.revision().clone();
                (query, Verdict { revision, ..verdict })
            }
        };
        let id = (self.ids)();
        let verdict = self.settle((Some(&query), verdict), started, (&id, &call.request_id)).verdict().await;
        let revision = verdict.revision.clone();
        Ok(Answer { body: answer::verdict(verdict, &id), revision, decision_id: Some(id) })
    }

    /// Reads a question, with its own credential or else this one.
    fn asked(&self, mut object: Object, otherwise: Option<Credential>) -> Result<Asked, CallError> {
        let own = self.config.credential_at.take(&mut object);
        let own = own.map_err(|violation| CallError::InvalidQuery(vec![violation]))?;
        let Some(credential) = own.or(otherwise) else {
            return json::query_of(object).map(Asked::plain).map_err(CallError::InvalidQuery);
        };
        let has_subject = match object.get("subject") {
            None => false,
            Some(Value::Object(subject)) => subject.get("type").is_some() || subject.get("id").is_some(),
            Some(_) => true,
        };
        if !has_subject {
            // A stand-in, which the reader takes for one and nobody else sees.
            let mut subject = match object.remove("subject") {
                Some(Value::Object(subject)) => subject,
                _ => Object::new(),
            };
            subject.insert("type".to_owned(), "*".into());
            subject.insert("id".to_owned(), "*".into());
            object.insert("subject".to_owned(), subject.into());
        }
        let mut query = json::query_of(object).map_err(CallError::InvalidQuery)?;
        if !has_subject {
            query.subject.kind.clear();
            query.subject.id.clear();
        }
        if issuance::is_gate(&query) {
            let fault = "is given with a question for a token, which takes none";
            let field = self.config.credential_at.to_string();
            return Err(CallError::InvalidQuery(vec![FieldViolation::new(field, fault)]));
        }
        Ok(Asked::with(query, credential, has_subject))
    }

    /// The same door, which asks `credentials` whom a credential proves.
    #[must_use]
    pub fn verifying(self, credentials: Arc<dyn Credentials>) -> Self {
        Self { credentials, ..self }
    }

    /// What a request says beside its body, and by when it is to be answered.
    fn call(&self, headers: &HeaderMap) -> Result<Call, CallError> {
        let deadline = Deadline::of_call(self.config.request_timeout);
        Ok(Call { request_id: named(headers), at: freshness::wanted(headers)?, deadline })
    }

    /// Who may not ask does not wait for what is to come either.
    fn may_wait(&self, query: &Query, call: &Call) -> Result<(), CallError> {
        if matches!(call.at, At::Fresh(_)) {
            if !self.decider.passes(query) {
                return Err(CallError::PermissionDenied);
            }
            caller::undecided();
        }
        Ok(())
    }

    /// Holds the snapshot that a request is to be decided on.
    async fn pin(&self, call: &Call) -> Result<Pinned<'_>, CallError> {
        freshness::within(self.decider.pin_at(&call.at), &self.decider, call).await
    }

    /// Tells of a verdict that is about to be answered.
    fn settle(
        &self,
        (query, verdict): (Option<&Query>, Verdict),
        started: Instant,
        (decision_id, request_id): (&str, &str),
    ) -> Settled {
        let took = started.elapsed();
        let decided = Decided { door: DoorName::AUTHZEN, decision_id, request_id, query, took };
        self.observer.decided(&decided, verdict)
    }

    fn finish(&self, answer: Result<Answer, CallError>) -> Response {
        let Answer { body, revision, decision_id } = match answer {
            Ok(answer) => answer,
            Err(error) => return self.refuse(&error),
        };
        let mut response = ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response();
        let headers = response.headers_mut();
        let mut set = |name, text: String| text.parse().map(|value: HeaderValue| headers.insert(name, value));
        // Neither ids nor digests have anything that a header can't hold.
        let _ = set(REVISION, format!("{} {}", revision.sequence, revision.digest));
        let _ = decision_id.map(|id| set(DECISION_ID, id));
        response
    }

    fn refuse(&self, error: &CallError) -> Response {
        let (_, reason) = error.code();
        self.observer.failed(reason);
        let mut response = fault(error.http_status(), &error.to_string());
        if error.http_status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// The door, without a listener.
pub fn router(door: Door) -> Router {
    let door = Arc::new(door);
    Router::new()
        .route("/access/v1/evaluation", post(evaluation))
        .route("/access/v1/evaluations", post(evaluations))
        .route("/access/v1/search/subject", post(search_subject))
        .route("/access/v1/search/resource", post(search_resource))
        .route("/access/v1/search/action", post(search_action))
        .route(metadata::WELL_KNOWN, get(metadata::configuration))
        .route(metadata::WELL_KNOWN_BELOW, get(metadata::configuration))
        .method_not_allowed_fallback(wrong_method)
        .route_layer(middleware::from_fn_with_state(Arc::clone(&door), around))
        .with_state(door)
}

async fn evaluation(State(door): State<Arc<Door>>, request: Request) -> Response {
    door.finish(door.evaluation(request).await)
}

async fn evaluations(State(door): State<Arc<Door>>, request: Request) -> Response {
    door.finish(door.evaluations(request).await)
}

async fn search_subject(State(door): State<Arc<Door>>, request: Request) -> Response {
    door.finish(door.search(request, Searched::Subject).await)
}

async fn search_resource(State(door): State<Arc<Door>>, request: Request) -> Response {
    door.finish(door.search(request, Searched::Resource).await)
}

async fn search_action(State(door): State<Arc<Door>>, request: Request) -> Response {
    door.finish(door.search(request, Searched::Action).await)
}

async fn wrong_method() -> Response {
    fault(StatusCode::METHOD_NOT_ALLOWED, "this method is not answered here; the header `Allow` has those that are")
}

/// What holds for every request: its id comes back (§10.1.9), a panic is an error without detail, nothing is cached
/// that does not say so.
async fn around(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let _call = door.observer.in_flight();
    let mut response = match request_id(request.headers()) {
        Ok(id) => {
            let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
            let mut response = answer.unwrap_or_else(|_| fault(StatusCode::INTERNAL_SERVER_ERROR, "internal error"));
            if let Some(id) = id {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            response
        }
        Err(violation) => door.refuse(&CallError::InvalidQuery(vec![violation])),
    };
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The request's id, if it has one that can be echoed.
pub(super) fn request_id(headers: &HeaderMap) -> Result<Option<HeaderValue>, FieldViolation> {
    let mut ids = headers.get_all(&REQUEST_ID).iter();
    let Some(id) = ids.next() else { return Ok(None) };
    let fault = if ids.next().is_some() {
        "stands twice".to_owned()
    } else if id.len() > MAX_REQUEST_ID {
        format!("is longer than {MAX_REQUEST_ID} bytes")
    } else if id.to_str().is_err() {
        "has other characters than those of ASCII that are visible".to_owned()
    } else {
        return Ok(Some(id.clone()));
    };
    Err(FieldViolation::new("X-Request-ID", fault))
}

/// The request's id for its record, of a request that [`around`] let pass; empty if it has none.
pub(super) fn named(headers: &HeaderMap) -> String {
    headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
}

/// An error: "an error message string" (§10.1.7).
fn fault(status: StatusCode, message: &str) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{message}\n")).into_response()
}

/// A verdict that an item of a batch gets for what is wrong with it.
fn denied(error: &CallError, revision: Revision) -> Verdict {
    let deny = Verdict::deny_for(crate::decision::code::INVALID_QUERY, error.to_string(), None);
    Verdict { revision, ..deny }
}
