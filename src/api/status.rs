//! The one table of what can be wrong with a call, and what each protocol says then.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::administration::{Diagnostic, Refusal};
use crate::decision::NotAt;

/// A field of a question, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// The field's path, e.g. `subject.id`.
    pub field: String,
    /// What is wrong, for people.
    pub description: String,
}

/// Why a call got no answer. A deny is an answer, and not here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The question breaks the contract; every fault is named.
    #[error("the question is not valid: {}", listed(.0))]
    InvalidQuery(Vec<FieldViolation>),
    /// The bytes are no message of the contract.
    #[error("the message can't be decoded: {0}")]
    MalformedMessage(String),
    /// The message is larger than configured.
    #[error(
        "the message is larger than the {0} bytes that the server reads; ask for less at once, or raise `grpc.max_message_bytes`"
    )]
    MessageTooLarge(usize),
    /// No policies are active yet.
    #[error("no policies are active yet; `/health/ready` and the server's log say why")]
    PoliciesNotReady,
    /// What is active is not as fresh as was asked for, and did not become so in time.
    #[error("the policies are not fresh enough: {0}")]
    NotFreshEnough(String),
    /// The revision that was asked for is not retained.
    #[error("{0}; ask without `at_revision`, or raise `policies.retained`")]
    RevisionNotRetained(String),
    /// The server is shutting down.
    #[error("the server is shutting down; ask another one")]
    Draining,
    /// The caller's deadline, or the server's own, passed before the answer.
    #[error("the deadline passed before there was an answer")]
    DeadlineExceeded,
    /// A command to the policy service breaks the contract; every fault is named.
    #[error("the request is not valid: {}", listed(.0))]
    InvalidRequest(Vec<FieldViolation>),
    /// A bundle is larger than configured.
    #[error("the bundle is larger than {0} bytes; make it smaller, or raise `admin.max_bundle_bytes`")]
    BundleTooLarge(usize),
    /// A command to the policy service is refused.
    #[error("{}", cut(.0.to_string(), LONGEST_REFUSAL))]
    Refused(Refusal),
}

/// The longest text that quotes a caller.
const LONGEST: usize = 300;
/// The longest text of a refusal; it travels in a header (see [`FieldViolation::new`]).
const LONGEST_REFUSAL: usize = 1_000;
/// The most faults of a bundle that travel with an error; a dry run tells all.
const MOST_FAULTS: usize = 6;

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "verdict";

impl FieldViolation {
    /// A violation of `field`. A long description is cut: it may quote the caller, and it travels in a header, which
    /// many clients take for an attack from 8 KiB on and then close the connection, with all the calls on it.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: cut(description.into(), LONGEST) }
    }

    /// A fault of a bundle's policies; its field is the place.
    fn of_policies(diagnostic: &Diagnostic) -> Self {
        const LONGEST_PLACE: usize = 200;
        let place = diagnostic.position.as_ref().map(ToString::to_string);
        let place = cut(place.unwrap_or_else(|| "bundle".to_owned()), LONGEST_PLACE);
        Self::new(place, format!("{} ({})", diagnostic.message, diagnostic.code))
    }
}

impl CallError {
    /// Every reason, for metrics and for the test that holds `docs/errors.md` to this table.
    pub const REASONS: [&'static str; 22] = [
        "INVALID_QUERY",
        "MALFORMED_MESSAGE",
        "MESSAGE_TOO_LARGE",
        "POLICIES_NOT_READY",
        "NOT_FRESH_ENOUGH",
        "REVISION_NOT_RETAINED",
        "DRAINING",
        "DEADLINE_EXCEEDED",
        "INVALID_REQUEST",
        "BUNDLE_TOO_LARGE",
        "BUNDLE_NOT_FOUND",
        "REVISION_NOT_FOUND",
        "NO_EARLIER_REVISION",
        "REVISION_CONFLICT",
        "INVALID_BUNDLE",
        "BUNDLES_OVERLAP",
        "TESTS_FAILED",
        "DOWNGRADE",
        "ROOT_OWNED",
        "PATCH_FAILED",
        "BUSY",
        "INTERNAL_ERROR",
    ];

    /// The gRPC status code, and the reason in `ErrorInfo`.
    #[must_use]
    pub fn code(&self) -> (Code, &'static str) {
        match self {
            Self::InvalidQuery(_) => (Code::InvalidArgument, "INVALID_QUERY"),
            Self::MalformedMessage(_) => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            Self::MessageTooLarge(_) => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            Self::PoliciesNotReady | Self::Refused(Refusal::NotReady) => (Code::Unavailable, "POLICIES_NOT_READY"),
            Self::NotFreshEnough(_) => (Code::FailedPrecondition, "NOT_FRESH_ENOUGH"),
            Self::RevisionNotRetained(_) => (Code::FailedPrecondition, "REVISION_NOT_RETAINED"),
            Self::Draining | Self::Refused(Refusal::Stopping) => (Code::Unavailable, "DRAINING"),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            Self::InvalidRequest(_) => (Code::InvalidArgument, "INVALID_REQUEST"),
            Self::BundleTooLarge(_) => (Code::ResourceExhausted, "BUNDLE_TOO_LARGE"),
            Self::Refused(Refusal::UnknownBundle(_)) => (Code::NotFound, "BUNDLE_NOT_FOUND"),
            Self::Refused(Refusal::UnknownRevision(_)) => (Code::NotFound, "REVISION_NOT_FOUND"),
            Self::Refused(Refusal::NoEarlierRevision) => (Code::FailedPrecondition, "NO_EARLIER_REVISION"),
            Self::Refused(Refusal::Conflict { .. }) => (Code::Aborted, "REVISION_CONFLICT"),
            Self::Refused(Refusal::InvalidBundle { .. }) => (Code::InvalidArgument, "INVALID_BUNDLE"),
            Self::Refused(Refusal::Overlap(_)) => (Code::FailedPrecondition, "BUNDLES_OVERLAP"),
            Self::Refused(Refusal::TestsFailed(_)) => (Code::FailedPrecondition, "TESTS_FAILED"),
            Self::Refused(Refusal::Downgrade(_)) => (Code::FailedPrecondition, "DOWNGRADE"),
            Self::Refused(Refusal::RootOwned { .. }) => (Code::FailedPrecondition, "ROOT_OWNED"),
            Self::Refused(Refusal::PatchFailed { .. }) => (Code::FailedPrecondition, "PATCH_FAILED"),
            Self::Refused(Refusal::Busy) => (Code::ResourceExhausted, "BUSY"),
            Self::Refused(Refusal::Internal(_)) => (Code::Internal, "INTERNAL_ERROR"),
        }
    }
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let (code, reason) = error.code();
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, DOMAIN, [("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
        match &error {
            CallError::InvalidQuery(violations) | CallError::InvalidRequest(violations) => {
                for FieldViolation { field, description } in violations {
                    details.add_bad_request_violation(field, description);
                }
            }
            CallError::PoliciesNotReady
            | CallError::Draining
            | CallError::Refused(Refusal::NotReady | Refusal::Stopping | Refusal::Busy) => {
                details.set_retry_info(Some(Duration::from_secs(1)));
            }
            CallError::Refused(Refusal::InvalidBundle { diagnostics, .. }) => {
                for diagnostic in diagnostics.iter().take(MOST_FAULTS) {
                    let FieldViolation { field, description } = FieldViolation::of_policies(diagnostic);
                    details.add_bad_request_violation(field, description);
                }
            }
            CallError::MalformedMessage(_)
            | CallError::MessageTooLarge(_)
            | CallError::NotFreshEnough(_)
            | CallError::RevisionNotRetained(_)
            | CallError::DeadlineExceeded
            | CallError::BundleTooLarge(_)
            | CallError::Refused(_) => {}
        }
        Status::with_error_details(code, error.to_string(), details)
    }
}

impl From<NotAt> for CallError {
    fn from(not: NotAt) -> Self {
        match not {
            NotAt::Nothing => Self::PoliciesNotReady,
            NotAt::Stale { .. } => Self::NotFreshEnough(cut(not.to_string(), LONGEST)),
            NotAt::Unknown { .. } => Self::RevisionNotRetained(cut(not.to_string(), LONGEST)),
        }
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A text that may quote the caller, no longer than that.
fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
        text.push('…');
    }
    text
}

/// The first violations, in a line that stays a line.
fn listed(violations: &[FieldViolation]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> = violations
        .iter()
        .take(SHOWN)
        .map(|violation| format!("`{}` {}", violation.field, violation.description))
        .collect();
    if let Some(more) = violations.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push(format!("and {more} more"));
    }
    text.join("; ")
}
