//! As JSON: the members of the messages, moments as RFC 3339, spans of time in seconds, what is absent as null.

use serde_json::{Value, json};
use verdict::api::grpc::proto::{
    BundleStatus, PolicyChange, PolicyDiagnostic, PolicyFailure, PolicyStatus, Publication, PutBundleResponse,
    Revision, SourceStatus, TestResult,
};

use super::{cause, kind, moment, outcome, persistence, severity};

pub(in crate::cli::policy) fn status(status: &PolicyStatus) -> Value {
    json!({
        "active": status.active.as_ref().map(publication),
        "bundles": status.bundles.iter().map(bundle).collect::<Value>(),
        "pinned": status.pinned,
        "persistence": persistence(status.persistence()),
        "persistence_error": filled(&status.persistence_error),
        "failure": status.failure.as_ref().map(failure),
        "stale": status.stale,
    })
}

pub(in crate::cli::policy) fn publication(publication: &Publication) -> Value {
    json!({
        "revision": publication.revision.as_ref().map(revision),
        "published": publication.published.as_ref().map(moment),
        "cause": cause(publication.cause()),
        "retained": publication.retained,
    })
}

pub(in crate::cli::policy) fn report(report: &PutBundleResponse) -> Value {
    let changes = report.changes.clone().unwrap_or_default();
    json!({
        "accepted": report.accepted,
        "changed": report.changed,
        "revision": report.revision.as_ref().map(revision),
        "diagnostics": report.diagnostics.iter().map(diagnostic).collect::<Value>(),
        "tests": report.tests.iter().map(test).collect::<Value>(),
        "changes": {
            "rules": changes.rules.iter().map(change).collect::<Value>(),
            "data": changes.data.iter().map(change).collect::<Value>(),
            "truncated": changes.truncated,
        },
    })
}

fn revision(revision: &Revision) -> Value {
    let Revision { sequence, digest, bundles } = revision;
    json!({"sequence": sequence, "digest": digest, "bundles": bundles})
}

fn bundle(bundle: &BundleStatus) -> Value {
    json!({
        "name": bundle.name,
        "revision": bundle.revision,
        "digest": filled(&bundle.digest),
        "roots": bundle.roots,
        "source": bundle.source.as_ref().map(source),
        "activated": bundle.activated.as_ref().map(moment),
        "age_seconds": bundle.age.as_ref().map(seconds),
        "stale": bundle.stale,
        "failure": bundle.failure.as_ref().map(failure),
    })
}

fn source(source: &SourceStatus) -> Value {
    json!({
        "kind": source.kind,
        "location": source.location,
        "last_attempt": source.last_attempt.as_ref().map(moment),
        "last_success": source.last_success.as_ref().map(moment),
        "next_attempt": source.next_attempt.as_ref().map(moment),
    })
}

fn failure(failure: &PolicyFailure) -> Value {
    json!({
        "step": failure.step,
        "message": failure.message,
        "at": failure.at.as_ref().map(moment),
        "diagnostics": failure.diagnostics.iter().map(diagnostic).collect::<Value>(),
    })
}

fn diagnostic(diagnostic: &PolicyDiagnostic) -> Value {
    let place = diagnostic.position.as_ref();
    json!({
        "severity": severity(diagnostic.severity()),
        "code": diagnostic.code,
        "message": diagnostic.message,
        "help": filled(&diagnostic.help),
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}

fn test(test: &TestResult) -> Value {
    let place = test.position.as_ref();
    json!({
        "package": test.package,
        "name": test.name,
        "outcome": outcome(test.outcome()),
        "message": filled(&test.message),
        "duration_seconds": test.duration.as_ref().map(seconds),
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}

fn change(change: &PolicyChange) -> Value {
    json!({"kind": kind(change.kind()), "path": change.path})
}

fn seconds(duration: &prost_types::Duration) -> Value {
    std::time::Duration::try_from(*duration).map_or(Value::Null, |duration| json!(duration.as_secs_f64()))
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
