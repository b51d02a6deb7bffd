//! The OPA door: the REST API of Open Policy Agent over HTTP, so that its clients work by changing the address.
//!
//! What is decided is the document at a path ([`crate::decision::Asks::Document`]); nothing of a path is read as Rego.
//! `docs/opa.md` says what there is, and what differs from OPA. As with OPA, whoever reaches this door may read policies and
//! data; writing, and queries in Rego, are off unless configured. This door brings no fallback of its own for paths that it
//! does not have: it is merged into another router.

mod answer;
mod body;
mod data;
mod explanation;
mod fault;
mod information;
mod parameters;
mod path;
mod query;
mod write;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::CACHE_CONTROL},
    middleware::{self, Next},
    response::Response,
    routing::{MethodRouter, get, post},
};
use futures::FutureExt as _;
use serde_json::Value as Json;

use self::{answer::Answer, fault::Fault};
use super::{
    Observer,
    administration::Administration,
    authzen,
    credentials::{Asked, CredentialAt, Credentials},
    deadline::Deadline,
    grpc::DecisionIds,
    ops,
    settle::{Decided, DoorName, Settled},
    status::CallError,
};
use crate::decision::{Decider, Input, Query, Value, Verdict};

/// Settings of this door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether it is there.
    pub enabled: bool,
    /// Whether clients may ask queries in Rego (`/v1/query`).
    pub query: bool,
    /// Whether clients may change data that no bundle owns.
    pub write: bool,
    /// Where an input has its credential.
    pub credential_at: CredentialAt,
}

/// What this door takes of a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body, in bytes, as it comes and as it is once it is decompressed.
    pub max_body_bytes: usize,
    /// The longest that a request may take.
    pub request_timeout: Duration,
}

/// What the door asks.
pub struct Peers {
    /// Who decides.
    pub decider: Arc<Decider>,
    /// Who tells whom a credential proves.
    pub credentials: Arc<dyn Credentials>,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// What gives decisions their ids.
    pub ids: DecisionIds,
    /// Whether questions are welcome.
    pub status: Arc<dyn ops::Status>,
    /// How the bundles are, and what changes data.
    pub administration: Arc<dyn Administration>,
    /// The server's settings, without secrets.
    pub settings: Json,
}

/// The door.
pub struct Door {
    peers: Peers,
    config: Config,
    limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: true, query: false, write: false, credential_at: CredentialAt::default() }
    }
}

impl Door {
    /// A door that asks these.
    #[must_use]
    pub fn new(peers: Peers, config: Config, limits: Limits) -> Self {
        Self { peers, config, limits }
    }

    fn deadline(&self) -> Deadline {
        Deadline::of_call(self.limits.request_timeout)
    }

    /// A question with what its input has of a credential, which it then has no longer.
    fn asked(&self, mut query: Query) -> Result<Asked, Fault> {
        let at = &self.config.credential_at;
        let credential = match &mut query.input {
            Input::Document(Value::Object(document)) => at.take(document),
            _ => Ok(None),
        };
        let credential = credential.map_err(|violation| CallError::InvalidQuery(vec![violation]))?;
        // Where tokens are verified, at whichever door, an input does not say what one says.
        if at.is_on() || self.peers.credentials.are_configured() {
            return Ok(Asked::document(query, credential, false));
        }
        Ok(Asked::plain(query))
    }

    /// Tells of a verdict that is about to be answered.
    fn settle(
        &self,
        (query, verdict): (&Query, Verdict),
        started: Instant,
        (decision_id, headers): (&str, &HeaderMap),
    ) -> Settled {
        let took = started.elapsed();
        let request_id = &authzen::named(headers);
        let decided = Decided { door: DoorName::OPA, decision_id, request_id, query: Some(query), took };
        self.peers.observer.decided(&decided, verdict)
    }

    fn refuse(&self, fault: &Fault) -> Response {
        self.peers.observer.failed(fault.reason);
        fault.response()
    }

    async fn finish(&self, answer: Result<Answer, Fault>) -> Response {
        match answer {
            Ok(answer) => answer.response().await,
            Err(fault) => self.refuse(&fault),
        }
    }
}

type Shared = State<Arc<Door>>;

/// The door, without a listener; nothing where it is off.
pub fn router(door: Door) -> Router {
    if !door.config.enabled {
        return Router::new();
    }
    let door = Arc::new(door);
    let around = middleware::from_fn_with_state(Arc::clone(&door), around);
    let named = Router::new()
        .route("/v1/data", v1())
        .route("/v1/data/", v1())
        .route("/v1/data/{*path}", v1())
        .route("/v0/data", post(data::v0))
        .route("/v0/data/", post(data::v0))
        .route("/v0/data/{*path}", post(data::v0))
        .route("/v1/query", get(query::get).post(query::post))
        .route("/v1/compile", post(information::compile))
        .route("/v1/compile/{*path}", post(information::compile))
        .route("/v1/policies", get(information::policies))
        .route("/v1/policies/", get(information::policies))
        .route("/v1/policies/{*id}", get(information::policy).put(information::fixed).delete(information::fixed))
        .route("/v1/status", get(information::status))
        .route("/v1/config", get(information::config))
        .route("/health", get(information::health))
        .method_not_allowed_fallback(wrong_method);
    // This path answers `GET` elsewhere, with a fallback of its own.
    named.route("/", post(data::default_decision)).route_layer(around).with_state(door)
}

fn v1() -> MethodRouter<Arc<Door>> {
    get(data::get).post(data::post).put(write::put).patch(write::patch).delete(write::delete)
}

async fn wrong_method(State(door): Shared) -> Response {
    let message = "this method is not answered here; the header `Allow` has those that are";
    door.refuse(&Fault::new(StatusCode::METHOD_NOT_ALLOWED, fault::INVALID_OPERATION, message))
}

/// What holds for every request: its id comes back, a panic is an error without detail, nothing is cached.
async fn around(State(door): Shared, request: Request, next: Next) -> Response {
    let _call = door.peers.observer.in_flight();
    let mut response = match authzen::request_id(request.headers()) {
        Ok(id) => {
            let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
            let mut response = answer.unwrap_or_else(|_| door.refuse(&Fault::internal("internal error")));
            if let Some(id) = id {
                response.headers_mut().insert(authzen::REQUEST_ID, id);
            }
            response
        }
        Err(violation) => door.refuse(&CallError::InvalidQuery(vec![violation]).into()),
    };
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
