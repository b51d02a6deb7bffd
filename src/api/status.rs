//! The one table of what can be wrong with a call, and what each protocol says then.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

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
}

/// The longest text that quotes a caller.
const LONGEST: usize = 300;

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "verdict";

impl FieldViolation {
    /// A violation of `field`. A long description is cut: it may quote the caller, and it travels in a header, which
    /// many clients take for an attack from 8 KiB on and then close the connection, with all the calls on it.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: cut(description.into()) }
    }
}

impl CallError {
    /// Every reason, for metrics and for the test that holds `docs/errors.md` to this table.
    pub const REASONS: [&'static str; 8] = [
        "INVALID_QUERY",
        "MALFORMED_MESSAGE",
        "MESSAGE_TOO_LARGE",
        "POLICIES_NOT_READY",
        "NOT_FRESH_ENOUGH",
        "REVISION_NOT_RETAINED",
        "DRAINING",
        "DEADLINE_EXCEEDED",
    ];

    /// The gRPC status code, and the reason in `ErrorInfo`.
    #[must_use]
    pub fn code(&self) -> (Code, &'static str) {
        match self {
            Self::InvalidQuery(_) => (Code::InvalidArgument, "INVALID_QUERY"),
            Self::MalformedMessage(_) => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            Self::MessageTooLarge(_) => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            Self::PoliciesNotReady => (Code::Unavailable, "POLICIES_NOT_READY"),
            Self::NotFreshEnough(_) => (Code::FailedPrecondition, "NOT_FRESH_ENOUGH"),
            Self::RevisionNotRetained(_) => (Code::FailedPrecondition, "REVISION_NOT_RETAINED"),
            Self::Draining => (Code::Unavailable, "DRAINING"),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
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
            | CallError::MessageTooLarge(_)
            | CallError::NotFreshEnough(_)
            | CallError::RevisionNotRetained(_)
            | CallError::DeadlineExceeded => {}
        }
        Status::with_error_details(code, error.to_string(), details)
    }
}

impl From<NotAt> for CallError {
    fn from(not: NotAt) -> Self {
        match not {
            NotAt::Nothing => Self::PoliciesNotReady,
            NotAt::Stale { .. } => Self::NotFreshEnough(cut(not.to_string())),
            NotAt::Unknown { .. } => Self::RevisionNotRetained(cut(not.to_string())),
        }
    }
}

/// A text that may quote the caller, and travels in a header.
fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
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
