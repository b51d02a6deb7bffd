//! What is known, in the words of the port of administration.

use std::{sync::Arc, time::SystemTime};

use tokio::time::Instant;

use super::{
    Failure, TestResult,
    build::{Built, Outcome},
    ledger::{Held, Inner, named},
};
use crate::{
    api::administration::{self as admin, BundleStatus, Diagnostic, Refusal, Report, Severity, SourceStatus, Status},
    bundle::InvalidSet,
    clock,
    decision::Evaluator as _,
    policy::{self, testing},
};

/// A failure, now.
pub(super) fn failure(failure: &Failure) -> admin::Failure {
    let diagnostics = diagnostics(failure);
    admin::Failure { step: failure.step().to_owned(), message: failure.to_string(), at: clock::now(), diagnostics }
}

fn diagnostics(failure: &Failure) -> Vec<Diagnostic> {
    let Failure::Policies(faults) = failure else { return Vec::new() };
    faults.0.iter().map(diagnostic).collect()
}

fn diagnostic(fault: &policy::Fault) -> Diagnostic {
    Diagnostic {
        severity: match fault.severity {
            policy::Severity::Fault => Severity::Error,
            policy::Severity::Warning => Severity::Warning,
        },
        code: fault.code.to_owned(),
        message: fault.cause.clone(),
        help: fault.help.clone().unwrap_or_default(),
        position: fault.position.clone(),
    }
}

fn test(test: &TestResult) -> admin::TestResult {
    let (outcome, message) = match &test.outcome {
        testing::Outcome::Pass => (admin::Outcome::Passed, String::new()),
        testing::Outcome::Fail => (admin::Outcome::Failed, String::new()),
        testing::Outcome::Skip => (admin::Outcome::Skipped, String::new()),
        testing::Outcome::Error(cause) => (admin::Outcome::Errored, cause.clone()),
    };
    admin::TestResult {
        package: test.package.clone(),
        name: test.name.clone(),
        position: Some(test.position.clone()).filter(|position| !position.file.is_empty()),
        outcome,
        message,
        duration: test.duration,
    }
}

/// What was built for an operator.
pub(super) fn of(built: &Built, active: Option<&crate::decision::Revision>) -> Report {
    let failure = built.failures.values().next().map(Arc::as_ref).or(match &built.outcome {
        Outcome::Failed(failure) => Some(failure.as_ref()),
        _ => None,
    });
    let revision = match &built.outcome {
        Outcome::Ready(snapshot) => {
            let next = active.map_or(1, |active| active.sequence + 1);
            admin::Revision { sequence: next, ..named(snapshot.revision()) }
        }
        _ => active.map(named).unwrap_or_default(),
    };
    let mut found = failure.map(diagnostics).unwrap_or_default();
    if let Some(failure) = failure.filter(|_| found.is_empty()) {
        found.push(Diagnostic {
            code: failure.step().to_owned(),
            message: failure.to_string(),
            ..Diagnostic::default()
        });
    }
    Report {
        accepted: failure.is_none(),
        changed: matches!(built.outcome, Outcome::Ready(_)),
        revision,
        diagnostics: found,
        tests: built.tests.iter().map(test).collect(),
        changes: admin::Changes::default(),
    }
}

/// Why an operator's content was not taken.
pub(super) fn refusal(failure: &Failure) -> Refusal {
    let message = failure.to_string();
    match failure {
        Failure::Downgrade(_, cause) => Refusal::Downgrade(cause.clone()),
        Failure::Set(InvalidSet::Overlap { .. }) => Refusal::Overlap(message),
        Failure::Tests(tests) => Refusal::TestsFailed(tests.iter().map(test).collect()),
        Failure::Internal(_) | Failure::Source(_) => Refusal::Internal(message),
        Failure::Bundle(_)
        | Failure::Empty(_)
        | Failure::Missing(_)
        | Failure::Unpack(..)
        | Failure::Signature(..)
        | Failure::Set(_)
        | Failure::Policies(_) => Refusal::InvalidBundle { message, diagnostics: diagnostics(failure) },
    }
}

/// The whole status.
pub(super) fn status(inner: &Inner, retained: usize) -> Status {
    let kept = inner.published.front().map(|record| &record.kept);
    let bundles = inner.bundles.iter().map(|(name, held)| {
        let kept = kept.and_then(|kept| kept.get(name));
        BundleStatus {
            name: name.clone(),
            revision: kept.map(|kept| kept.revision.clone()).unwrap_or_default(),
            digest: kept.map(|kept| kept.digest),
            roots: kept.map(|kept| kept.roots.clone()).unwrap_or_default(),
            source: source(held),
            activated: held.activated,
            age: held.age(),
            stale: held.is_stale(),
            failure: held.failure.clone(),
        }
    });
    Status {
        active: inner.publication(retained),
        bundles: bundles.collect(),
        pinned: inner.pinned,
        persistence: inner.persistence.clone(),
        failure: inner.failure.clone(),
        stale: inner.bundles.values().any(Held::is_stale),
    }
}

fn source(held: &Held) -> SourceStatus {
    let Some(status) = &held.source else {
        let kind = if held.location.is_empty() { "put" } else { "folder" };
        let last = held.confirmed.map(time);
        return SourceStatus {
            kind: kind.to_owned(),
            location: held.location.clone(),
            last_attempt: last,
            last_success: last,
            next_attempt: None,
        };
    };
    let report = status.report();
    SourceStatus {
        kind: report.kind.as_str().to_owned(),
        location: report.name,
        last_attempt: report.last_attempt.map(time),
        last_success: report.last_success.map(time),
        next_attempt: report.next_attempt.map(time),
    }
}

/// A moment of the runtime's clock on the wall's.
fn time(at: Instant) -> SystemTime {
    let now = Instant::now();
    if at > now { clock::now() + (at - now) } else { clock::now() - (now - at) }
}
