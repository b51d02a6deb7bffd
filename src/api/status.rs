//! The one table of what can be wrong with a call, and what each protocol says then.

use std::time::Duration;

use axum::http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::decision::SearchError;

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
}

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "verdict";

impl FieldViolation {
    /// A violation of `field`. A long description is cut: it may quote the caller, and it travels in a header, which
    /// many clients take for an attack from 8 KiB on and then close the connection, with all the calls on it.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        const LONGEST: usize = 300;
        let mut description = description.into();
        if description.len() > LONGEST {
            description.truncate(description.floor_char_boundary(LONGEST));
            description.push('…');
        }
        Self { field: field.into(), description }
    }
}

impl CallError {
    /// Every reason, for metrics and for the test that holds `docs/errors.md` to this table.
    pub const REASONS: [&'static str; 8] = [
        "INVALID_QUERY",
        "MALFORMED_MESSAGE",
        "MESSAGE_TOO_LARGE",
        "POLICIES_NOT_READY",
        "DRAINING",
        "SEARCH_UNSUPPORTED",
        "SEARCH_FAILED",
        "DEADLINE_EXCEEDED",
    ];

    /// The gRPC status code, and the reason in `ErrorInfo`.
    #[must_use]
    pub fn code(&self) -> (Code, &'static str) {
        match self {
            Self::InvalidQuery(_) => (Code::InvalidArgument, "INVALID_QUERY"),
            Self::MalformedMessage(_) => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            Self::MessageTooLarge { .. } => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            Self::PoliciesNotReady => (Code::Unavailable, "POLICIES_NOT_READY"),
            Self::Draining => (Code::Unavailable, "DRAINING"),
            Self::SearchUnsupported(_) => (Code::Unimplemented, "SEARCH_UNSUPPORTED"),
            Self::SearchFailed(_) => (Code::Internal, "SEARCH_FAILED"),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        }
    }

    /// The HTTP status (AuthZEN Authorization API 1.0 §10.1.7; RFC 9110 §15 for what that leaves out).
    #[must_use]
    pub fn http_status(&self) -> StatusCode {
        match self {
            Self::InvalidQuery(_) | Self::MalformedMessage(_) => StatusCode::BAD_REQUEST,
            Self::MessageTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::PoliciesNotReady | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::SearchUnsupported(_) => StatusCode::NOT_IMPLEMENTED,
            Self::SearchFailed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
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
            CallError::InvalidQuery(violations) => {
                for FieldViolation { field, description } in violations {
                    details.add_bad_request_violation(field, description);
                }
            }
            CallError::PoliciesNotReady | CallError::Draining => {
                details.set_retry_info(Some(Duration::from_secs(1)));
            }
            CallError::MalformedMessage(_)
            | CallError::MessageTooLarge { .. }
            | CallError::SearchUnsupported(_)
            | CallError::SearchFailed(_)
            | CallError::DeadlineExceeded => {}
        }
        Status::with_error_details(code, error.to_string(), details)
    }
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
