//! The one table of what can be wrong with a call, and what each protocol says then.

use std::time::Duration;

use axum::http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::administration::{Diagnostic, Refusal};
use crate::{
    decision::{NotAt, SearchError},
    revocation,
};

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
        "the message is larger than the {limit} bytes that the server reads; ask for less at once, or raise `{setting}`"
    )]
    MessageTooLarge {
        /// The most bytes.
        limit: usize,
        /// The setting that says so.
        setting: &'static str,
    },
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
    /// The policies name no candidates for this search.
    #[error("this search is not supported by the active policies: {0}")]
    SearchUnsupported(String),
    /// The policies' candidates for a search can't be used.
    #[error("the search failed: {0}")]
    SearchFailed(String),
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
    Refused(Box<Refusal>),
    /// Nobody knows who calls.
    #[error("this server answers callers that it knows; show a certificate, a key or a token that is good here")]
    Unauthenticated,
    /// The caller may not do this.
    #[error("the caller may not do this")]
    PermissionDenied,
    /// There is more to answer than can be answered in time.
    #[error("the server has too much to answer; ask again in {} ms, or another one", .0.as_millis())]
    Overloaded(Duration),
    /// The caller asks more than it may.
    #[error("the caller asks more often than `callers.rate` allows; ask again in {} ms", .0.as_millis())]
    RateLimited(Duration),
    /// A change of what is revoked is refused.
    #[error("{}", cut(.0.to_string(), LONGEST_REFUSAL))]
    NotRevoked(revocation::Refused),
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
    pub const REASONS: [&'static str; 31] = [
        "INVALID_QUERY",
        "MALFORMED_MESSAGE",
        "MESSAGE_TOO_LARGE",
        "POLICIES_NOT_READY",
        "NOT_FRESH_ENOUGH",
        "REVISION_NOT_RETAINED",
        "DRAINING",
        "SEARCH_UNSUPPORTED",
        "SEARCH_FAILED",
        "DEADLINE_EXCEEDED",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "OVERLOADED",
        "RATE_LIMITED",
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
        "REVOCATION_OFF",
        "TOO_MANY_REVOCATIONS",
        "REVOCATION_NOT_KEPT",
        "INTERNAL_ERROR",
    ];

    /// The gRPC status code, and the reason in `ErrorInfo`.
    #[must_use]
    pub fn code(&self) -> (Code, &'static str) {
        match self {
            Self::InvalidQuery(_) => (Code::InvalidArgument, "INVALID_QUERY"),
            Self::MalformedMessage(_) => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            Self::MessageTooLarge { .. } => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            Self::PoliciesNotReady => (Code::Unavailable, "POLICIES_NOT_READY"),
            Self::NotFreshEnough(_) => (Code::FailedPrecondition, "NOT_FRESH_ENOUGH"),
            Self::RevisionNotRetained(_) => (Code::FailedPrecondition, "REVISION_NOT_RETAINED"),
            Self::Draining => (Code::Unavailable, "DRAINING"),
            Self::SearchUnsupported(_) => (Code::Unimplemented, "SEARCH_UNSUPPORTED"),
            Self::SearchFailed(_) => (Code::Internal, "SEARCH_FAILED"),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            Self::Unauthenticated => (Code::Unauthenticated, "UNAUTHENTICATED"),
            Self::PermissionDenied => (Code::PermissionDenied, "PERMISSION_DENIED"),
            Self::Overloaded(_) => (Code::ResourceExhausted, "OVERLOADED"),
            Self::RateLimited(_) => (Code::ResourceExhausted, "RATE_LIMITED"),
            Self::InvalidRequest(_) => (Code::InvalidArgument, "INVALID_REQUEST"),
            Self::BundleTooLarge(_) => (Code::ResourceExhausted, "BUNDLE_TOO_LARGE"),
            Self::Refused(refusal) => refused(refusal),
            Self::NotRevoked(refused) => not_revoked(refused),
        }
    }

    /// The HTTP status (AuthZEN Authorization API 1.0 §10.1.7; RFC 9110 §15 for what that leaves out).
    #[must_use]
    pub fn http_status(&self) -> StatusCode {
        match self {
            Self::InvalidQuery(_) | Self::MalformedMessage(_) => StatusCode::BAD_REQUEST,
            Self::MessageTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::PoliciesNotReady | Self::Draining | Self::Overloaded(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::SearchUnsupported(_) => StatusCode::NOT_IMPLEMENTED,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::NotFreshEnough(_) => StatusCode::PRECONDITION_FAILED,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            // All but the first are of calls that HTTP does not have.
            Self::SearchFailed(_)
            | Self::RevisionNotRetained(_)
            | Self::InvalidRequest(_)
            | Self::BundleTooLarge(_)
            | Self::NotRevoked(_)
            | Self::Refused(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<SearchError> for CallError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Unsupported(fault) => Self::SearchUnsupported(fault),
            SearchError::Failed(fault) => Self::SearchFailed(fault),
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
            CallError::Overloaded(again) | CallError::RateLimited(again) => {
                details.set_retry_info(Some(*again));
            }
            CallError::PoliciesNotReady
            | CallError::Draining
            | CallError::NotRevoked(revocation::Refused::Busy | revocation::Refused::Stopping) => {
                details.set_retry_info(Some(Duration::from_secs(1)));
            }
            CallError::Refused(refusal) => match refusal.as_ref() {
                Refusal::NotReady | Refusal::Stopping | Refusal::Busy => {
                    details.set_retry_info(Some(Duration::from_secs(1)));
                }
                Refusal::InvalidBundle { diagnostics, .. } => {
                    for diagnostic in diagnostics.iter().take(MOST_FAULTS) {
                        let FieldViolation { field, description } = FieldViolation::of_policies(diagnostic);
                        details.add_bad_request_violation(field, description);
                    }
                }
                _ => {}
            },
            CallError::MalformedMessage(_)
            | CallError::MessageTooLarge { .. }
            | CallError::NotFreshEnough(_)
            | CallError::RevisionNotRetained(_)
            | CallError::SearchUnsupported(_)
            | CallError::SearchFailed(_)
            | CallError::DeadlineExceeded
            | CallError::Unauthenticated
            | CallError::PermissionDenied
            | CallError::BundleTooLarge(_)
            | CallError::NotRevoked(_) => {}
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
        Self::Refused(Box::new(refusal))
    }
}

impl From<revocation::Refused> for CallError {
    fn from(refused: revocation::Refused) -> Self {
        Self::NotRevoked(refused)
    }
}

/// [`CallError::code`] of a change of what is revoked.
fn not_revoked(refused: &revocation::Refused) -> (Code, &'static str) {
    match refused {
        revocation::Refused::Off => (Code::FailedPrecondition, "REVOCATION_OFF"),
        revocation::Refused::Full(_) | revocation::Refused::TooLong(_) => {
            (Code::ResourceExhausted, "TOO_MANY_REVOCATIONS")
        }
        revocation::Refused::Busy => (Code::ResourceExhausted, "BUSY"),
        revocation::Refused::Stopping => (Code::Unavailable, "DRAINING"),
        revocation::Refused::NotKept { .. } => (Code::Unavailable, "REVOCATION_NOT_KEPT"),
    }
}

/// [`CallError::code`] of a command that is refused.
fn refused(refusal: &Refusal) -> (Code, &'static str) {
    match refusal {
        Refusal::NotReady => (Code::Unavailable, "POLICIES_NOT_READY"),
        Refusal::Stopping => (Code::Unavailable, "DRAINING"),
        Refusal::UnknownBundle(_) => (Code::NotFound, "BUNDLE_NOT_FOUND"),
        Refusal::UnknownRevision(_) => (Code::NotFound, "REVISION_NOT_FOUND"),
        Refusal::NoEarlierRevision => (Code::FailedPrecondition, "NO_EARLIER_REVISION"),
        Refusal::Conflict { .. } => (Code::Aborted, "REVISION_CONFLICT"),
        Refusal::InvalidBundle { .. } => (Code::InvalidArgument, "INVALID_BUNDLE"),
        Refusal::Overlap(_) => (Code::FailedPrecondition, "BUNDLES_OVERLAP"),
        Refusal::TestsFailed(_) => (Code::FailedPrecondition, "TESTS_FAILED"),
        Refusal::Downgrade(_) => (Code::FailedPrecondition, "DOWNGRADE"),
        Refusal::RootOwned { .. } => (Code::FailedPrecondition, "ROOT_OWNED"),
        Refusal::PatchFailed { .. } => (Code::FailedPrecondition, "PATCH_FAILED"),
        Refusal::Busy => (Code::ResourceExhausted, "BUSY"),
        Refusal::Internal(_) => (Code::Internal, "INTERNAL_ERROR"),
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
