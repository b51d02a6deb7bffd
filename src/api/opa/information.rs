//! What the server says of itself: health, status, settings, policies; and what it does not do.

use std::time::SystemTime;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};

use super::{
    Door, Shared,
    answer::Answer,
    fault::{Fault, INVALID_OPERATION, NOT_FOUND},
    parameters::Parameters,
    path,
};
use crate::api::{
    administration::{BundleStatus, Failure},
    ops,
    status::CallError,
};

pub(super) async fn health(State(door): Shared, request: Request) -> Response {
    let answer = Parameters::of(request.uri()).map(|parameters| match door.ill(&parameters) {
        None => Answer::of(json!({}), request.headers(), parameters.pretty),
        Some(why) => Answer {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Answer::of(json!({ "error": why }), request.headers(), parameters.pretty)
        },
    });
    door.finish(answer).await
}

pub(super) async fn status(State(door): Shared, request: Request) -> Response {
    let answer = Parameters::of(request.uri())
        .map(|parameters| Answer::of(json!({ "result": door.status() }), request.headers(), parameters.pretty));
    door.finish(answer).await
}

pub(super) async fn config(State(door): Shared, request: Request) -> Response {
    let answer = Parameters::of(request.uri()).map(|parameters| {
        let parts = door.peers.decider.default_policy().parts();
        let mut settings = door.peers.settings.clone();
        if let Some(members) = settings.as_object_mut() {
            members.insert("default_decision".to_owned(), format!("/{}", parts.join("/")).into());
            members.insert("labels".to_owned(), labels());
        }
        Answer::of(json!({ "result": settings }), request.headers(), parameters.pretty)
    });
    door.finish(answer).await
}

pub(super) async fn policies(State(door): Shared, request: Request) -> Response {
    let answer = Parameters::of(request.uri()).and_then(|parameters| {
        let policies = door.peers.decider.hold().ok_or(CallError::PoliciesNotReady)?.policies();
        let listed: Vec<Json> = policies.iter().map(|(id, raw)| json!({ "id": &**id, "raw": &**raw })).collect();
        Ok(Answer::of(json!({ "result": listed }), request.headers(), parameters.pretty))
    });
    door.finish(answer).await
}

pub(super) async fn policy(State(door): Shared, request: Request) -> Response {
    let answer = Parameters::of(request.uri()).and_then(|parameters| {
        let wanted = path::parts(request.uri().path(), "/v1/policies")?.join("/");
        let policies = door.peers.decider.hold().ok_or(CallError::PoliciesNotReady)?.policies();
        let Some((id, raw)) = policies.iter().find(|(id, _)| **id == *wanted) else {
            let message = format!("storage_not_found_error: policy id {wanted:?}");
            return Err(Fault::new(StatusCode::NOT_FOUND, NOT_FOUND, message));
        };
        let found = json!({ "result": { "id": &**id, "raw": &**raw } });
        Ok(Answer::of(found, request.headers(), parameters.pretty))
    });
    door.finish(answer).await
}

pub(super) async fn fixed(State(door): Shared) -> Response {
    let message = "policies are not changed here; they come from the server's sources, or by `verdict policy`";
    door.refuse(&Fault::new(StatusCode::METHOD_NOT_ALLOWED, INVALID_OPERATION, message))
}

pub(super) async fn compile(State(door): Shared) -> Response {
    let message = "partial evaluation is not supported; ask for a document by its path (`/v1/data/…`)";
    door.refuse(&Fault::new(StatusCode::NOT_IMPLEMENTED, INVALID_OPERATION, message))
}

impl Door {
    /// Why the server is not well, in so far as that is asked.
    fn ill(&self, parameters: &Parameters) -> Option<String> {
        let ops::Readiness { ready, reason, .. } = self.peers.status.readiness();
        if !ready {
            return Some(reason.unwrap_or_else(|| "unable to perform evaluation".to_owned()));
        }
        let status = self.peers.administration.status();
        // A set is published with all its bundles, or not at all.
        if parameters.bundles && status.active.is_none() {
            return Some("one or more bundles are not activated".to_owned());
        }
        (parameters.plugins && (status.active.is_none() || status.stale))
            .then(|| "one or more plugins are not up".to_owned())
    }

    fn status(&self) -> Json {
        let status = self.peers.administration.status();
        let bundles: Map<String, Json> =
            status.bundles.iter().map(|bundle| (bundle.name.clone(), self::bundle(bundle))).collect();
        let state =
            if status.active.is_some() && status.failure.is_none() && !status.stale { "OK" } else { "NOT_READY" };
        let active = status.active.map(|active| {
            json!({
                "sequence": active.revision.sequence, "digest": active.revision.digest.to_string(),
                "published": time(Some(active.published)),
            })
        });
        json!({
            "labels": labels(), "bundles": bundles, "plugins": { "bundle": { "state": state } }, "revision": active,
        })
    }
}

fn bundle(bundle: &BundleStatus) -> Json {
    let BundleStatus { name, revision, activated, source, failure, .. } = bundle;
    let mut told = json!({
        "name": name, "active_revision": revision,
        "last_request": time(source.last_attempt), "last_successful_request": time(source.last_success),
        "last_successful_activation": time(*activated),
    });
    if let (Some(Failure { step, message, .. }), Some(members)) = (failure, told.as_object_mut()) {
        members.insert("code".to_owned(), "bundle_error".into());
        members.insert("message".to_owned(), format!("{step}: {message}").into());
    }
    told
}

fn labels() -> Json {
    json!({ "version": env!("CARGO_PKG_VERSION") })
}

/// A time as OPA writes it; what has not been is the year 1.
fn time(at: Option<SystemTime>) -> Json {
    match at {
        Some(at) => DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Nanos, true).into(),
        None => "0001-01-01T00:00:00Z".into(),
    }
}
