//! The operators' part of the HTTP door: health and metrics.
//!
//! What it shows comes through [`Status`]; it knows nothing of how that is found out. It reads no request body, and puts
//! nothing of a request into an answer. It answers every path, so other routers of this listener are merged into it
//! and bring no fallback of their own.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::Address;

const LISTING: &str = "\
Verdict, a policy decision point

GET /health/live   200 while the process runs
GET /health/ready  200 when questions are welcome, or 503 and why not
GET /metrics       Prometheus metrics

POST /access/v1/evaluation        OpenID AuthZEN Authorization API 1.0
POST /access/v1/evaluations       many questions at once
POST /access/v1/search/subject    who may
POST /access/v1/search/resource   what on
POST /access/v1/search/action     what may be done
GET /.well-known/authzen-configuration

GET|POST /v1/data/{path}    OPA's REST API: the document at a path
POST /v0/data/{path}        the same, the body being the input
POST /                      the document at the default policy
GET|POST /v1/query          a query in Rego, where `opa.query` allows it
GET /v1/policies[/{id}], /v1/status, /v1/config, /health?bundles&plugins
PUT|PATCH|DELETE /v1/data/{path}   changes of data, where `opa.write` allows them

POST /mcp/v1/check         may this message of MCP pass
POST /mcp/v1/filter-tools  which tools of a list the caller may use
";

/// Settings of the HTTP door.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub address: Address,
    /// What it is encrypted with.
    pub tls: super::listen::tls::Config,
}

/// What this door shows. Asked on an async worker, so it must not block.
pub trait Status: Send + Sync {
    /// Whether questions are welcome.
    fn readiness(&self) -> Readiness;

    /// All metrics, in Prometheus's text format 0.0.4.
    fn metrics(&self) -> String;
}

/// Whether questions are welcome, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Whether they are.
    pub ready: bool,
    /// Why they are not, e.g. `no policies yet` or `draining`.
    pub reason: Option<String>,
    /// Sequence number and digest of the revision that decides.
    pub revision: Option<(u64, String)>,
    /// What was wrong with the policies, a fault a line, if the last reload failed. The last good ones decide on, so
    /// this alone makes nobody unready.
    pub last_reload_error: Option<String>,
}

/// The answer of `/health/ready`.
#[derive(Serialize)]
struct ReadyBody<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<RevisionBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reload_error: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
struct RevisionBody<'a> {
    sequence: u64,
    digest: &'a str,
}

/// The answer to a request that is wrong.
#[derive(Serialize)]
struct ErrorBody {
    code: &'static str,
    message: &'static str,
}

impl Default for Config {
    fn default() -> Self {
        let tls = super::listen::tls::Config::default();
        Self { address: Address::Tcp(([127, 0, 0, 1], 8181).into()), tls }
    }
}

/// The door, without a listener.
pub fn router(status: Arc<dyn Status>) -> Router {
    Router::new()
        .route("/", get(listing))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
        .with_state(status)
}

async fn listing() -> Response {
    text("text/plain; charset=utf-8", LISTING.to_owned())
}

async fn live() -> Response {
    let alive = ReadyBody { status: "live", reason: None, revision: None, last_reload_error: None };
    json(StatusCode::OK, &alive)
}

async fn ready(State(status): State<Arc<dyn Status>>) -> Response {
    let Readiness { ready, reason, revision, last_reload_error } = status.readiness();
    let (code, status) = if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    let body = ReadyBody {
        status,
        reason: reason.as_deref().filter(|_| !ready),
        revision: revision.as_ref().map(|(sequence, digest)| RevisionBody { sequence: *sequence, digest }),
        last_reload_error: last_reload_error.as_ref().map(|faults| faults.lines().collect()),
    };
    json(code, &body)
}

async fn metrics(State(status): State<Arc<dyn Status>>) -> Response {
    text("text/plain; version=0.0.4; charset=utf-8", status.metrics())
}

async fn wrong_method() -> Response {
    let message = "this method is not answered here; the header `Allow` has those that are";
    json(StatusCode::METHOD_NOT_ALLOWED, &ErrorBody { code: "METHOD_NOT_ALLOWED", message })
}

async fn nothing_here() -> Response {
    json(
        StatusCode::NOT_FOUND,
        &ErrorBody { code: "NOT_FOUND", message: "nothing is here; `GET /` lists what there is" },
    )
}

fn text(content_type: &'static str, body: String) -> Response {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")], body).into_response()
}

fn json(code: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => {
            (code, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body + "\n").into_response()
        }
        // Strings and numbers always serialize.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests;
