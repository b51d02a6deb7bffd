//! The port's words to messages. Everything is destructured whole, so that a new member cannot be left out unseen.

use std::time::SystemTime;

use crate::api::{
    administration::{
        BundleStatus, Cause, Change, Changes, Diagnostic, Failure, Kind, Outcome, Persistence, Publication, Report,
        Revision, Severity, SourceStatus, Status, TestResult,
    },
    grpc::{explanation::position, proto, response::duration},
};

pub(super) fn status(status: Status) -> proto::PolicyStatus {
    let Status { active, bundles, pinned, persistence: kept, failure: failed, stale } = status;
    let (persistence, persistence_error) = persistence(kept);
    proto::PolicyStatus {
        active: active.map(publication),
        bundles: bundles.into_iter().map(bundle).collect(),
        pinned,
        persistence: persistence.into(),
        persistence_error,
        failure: failed.map(failure),
        stale,
    }
}

pub(super) fn publication(publication: Publication) -> proto::Publication {
    let Publication { revision: published_revision, published, cause, retained } = publication;
    let cause = match cause {
        Cause::Source => proto::PublicationCause::Source,
        Cause::Restored => proto::PublicationCause::Restored,
        Cause::Put => proto::PublicationCause::Put,
        Cause::Activate => proto::PublicationCause::Activate,
        Cause::Release => proto::PublicationCause::Release,
        Cause::Patch => proto::PublicationCause::Patch,
    };
    proto::Publication {
        revision: Some(revision(published_revision)),
        published: Some(time(published)),
        cause: cause.into(),
        retained,
    }
}

pub(super) fn report(report: Report) -> proto::PutBundleResponse {
    let Report { accepted, changed, revision: active, diagnostics, tests, changes } = report;
    let Changes { rules, data, truncated } = changes;
    proto::PutBundleResponse {
        accepted,
        changed,
        revision: Some(revision(active)),
        diagnostics: diagnostics.into_iter().map(diagnostic).collect(),
        tests: tests.into_iter().map(test).collect(),
        changes: Some(proto::PolicyChanges {
            rules: rules.into_iter().map(change).collect(),
            data: data.into_iter().map(change).collect(),
            truncated,
        }),
    }
}

fn revision(Revision { sequence, digest, bundles }: Revision) -> proto::Revision {
    proto::Revision { sequence, digest: digest.to_string(), bundles }
}

fn persistence(persistence: Persistence) -> (proto::Persistence, String) {
    match persistence {
        Persistence::Off => (proto::Persistence::Off, String::new()),
        Persistence::Pending => (proto::Persistence::Pending, String::new()),
        Persistence::Done => (proto::Persistence::Done, String::new()),
        Persistence::Failed(why) => (proto::Persistence::Failed, why),
    }
}

fn bundle(bundle: BundleStatus) -> proto::BundleStatus {
    let BundleStatus { name, revision, digest, roots, source: from, activated, age, stale, failure: failed } = bundle;
    let SourceStatus { kind, location, last_attempt, last_success, next_attempt } = from;
    proto::BundleStatus {
        name,
        revision,
        digest: digest.map(|digest| digest.to_string()).unwrap_or_default(),
        roots,
        source: Some(proto::SourceStatus {
            kind,
            location,
            last_attempt: last_attempt.map(time),
            last_success: last_success.map(time),
            next_attempt: next_attempt.map(time),
        }),
        activated: activated.map(time),
        age: age.map(duration),
        stale,
        failure: failed.map(failure),
    }
}

fn failure(Failure { step, message, at, diagnostics }: Failure) -> proto::PolicyFailure {
    let diagnostics = diagnostics.into_iter().map(diagnostic).collect();
    proto::PolicyFailure { step, message, at: Some(time(at)), diagnostics }
}

fn diagnostic(diagnostic: Diagnostic) -> proto::PolicyDiagnostic {
    let Diagnostic { severity, code, message, help, position: place } = diagnostic;
    let severity = match severity {
        Severity::Error => proto::DiagnosticSeverity::Error,
        Severity::Warning => proto::DiagnosticSeverity::Warning,
    };
    proto::PolicyDiagnostic { severity: severity.into(), code, message, help, position: place.map(position) }
}

fn test(test: TestResult) -> proto::TestResult {
    let TestResult { package, name, position: place, outcome, message, duration: took } = test;
    let outcome = match outcome {
        Outcome::Passed => proto::TestOutcome::Passed,
        Outcome::Failed => proto::TestOutcome::Failed,
        Outcome::Skipped => proto::TestOutcome::Skipped,
        Outcome::Errored => proto::TestOutcome::Errored,
    };
    let duration = Some(duration(took));
    proto::TestResult { package, name, position: place.map(position), outcome: outcome.into(), message, duration }
}

fn change(Change { kind, path }: Change) -> proto::PolicyChange {
    let kind = match kind {
        Kind::Added => proto::ChangeKind::Added,
        Kind::Removed => proto::ChangeKind::Removed,
        Kind::Changed => proto::ChangeKind::Changed,
    };
    proto::PolicyChange { kind: kind.into(), path }
}

/// A moment before 1970 is a clock that was never set; it is shown as the beginning.
fn time(time: SystemTime) -> prost_types::Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    prost_types::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}
