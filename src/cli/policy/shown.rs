//! Answers of the policy service, for people and for programs.

pub(super) mod json;
pub(super) mod text;

use verdict::api::grpc::proto::{
    ChangeKind, DiagnosticSeverity, Persistence, PublicationCause, SourcePosition, TestOutcome,
};

/// A moment: `2026-11-21T04:28:14Z`.
pub(in crate::cli) fn moment(time: &prost_types::Timestamp) -> String {
    let nanos = u32::try_from(time.nanos).unwrap_or(0);
    let date = chrono::DateTime::from_timestamp(time.seconds, nanos);
    date.map_or_else(|| "?".to_owned(), |date| date.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

fn cause(cause: PublicationCause) -> &'static str {
    match cause {
        PublicationCause::Unspecified => "unknown",
        PublicationCause::Source => "source",
        PublicationCause::Restored => "restored",
        PublicationCause::Put => "put",
        PublicationCause::Activate => "activate",
        PublicationCause::Release => "release",
        PublicationCause::Patch => "patch",
    }
}

fn persistence(persistence: Persistence) -> &'static str {
    match persistence {
        Persistence::Unspecified => "unknown",
        Persistence::Off => "off",
        Persistence::Pending => "pending",
        Persistence::Done => "done",
        Persistence::Failed => "failed",
    }
}

fn severity(severity: DiagnosticSeverity) -> &'static str {
    match severity {
        DiagnosticSeverity::Warning => "warning",
        DiagnosticSeverity::Error | DiagnosticSeverity::Unspecified => "error",
    }
}

fn outcome(outcome: TestOutcome) -> &'static str {
    match outcome {
        TestOutcome::Passed => "passed",
        TestOutcome::Failed => "failed",
        TestOutcome::Skipped => "skipped",
        TestOutcome::Errored | TestOutcome::Unspecified => "errored",
    }
}

fn kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed | ChangeKind::Unspecified => "changed",
    }
}

/// A place: `authz/rules.rego:3:1`.
fn place(position: &SourcePosition) -> String {
    let SourcePosition { file, line, column } = position;
    format!("{file}:{line}:{column}")
}
