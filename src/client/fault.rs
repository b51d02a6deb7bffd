//! Why there is no answer. For the log of whoever asked: the person who was refused is told none of it.

use std::{sync::Arc, time::Duration};

use tonic::Status;

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The question can't be put as it is.
    #[error("the question can't be asked: {0}")]
    Question(#[from] InvalidQuestion),
    /// No answer came in time.
    #[error("none came in time, within {} ms at most", .0.as_millis())]
    Deadline(Duration),
    /// The server could not be reached, was lost, or takes no questions, in every attempt.
    #[error("the server is unavailable: {}", .0.message())]
    Unavailable(#[source] Arc<Status>),
    /// The server, or whatever is at its address, refused the call.
    #[error("the server refused the call: {} ({:?})", .0.message(), .0.code())]
    Refused(#[source] Arc<Status>),
    /// What came is no answer to what was asked.
    #[error("what came is malformed: {0}; is it a Verdict server?")]
    Malformed(&'static str),
    /// The function that makes questions of requests, or the one that says which obligations are met, panicked.
    #[error("the function that maps requests to questions, or says which obligations are met, panicked")]
    Panicked,
}

/// Why a question can't be put: the server would be asked another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuestion {
    /// A number that JSON does not have.
    #[error("a number in it is not finite, or none")]
    Number,
    /// A token's claims: a server believes only what it verified itself.
    #[error("it has a token's claims, which a server verifies itself")]
    Token,
    /// An input, a document or strictness, which only OPA's API and Envoy's have; or a time, which the server tells.
    #[error("it asks for what only other doors have")]
    OtherDoor,
    /// Revision 0, which there never is.
    #[error("it is to be decided on revision 0; the first is 1")]
    Revision,
    /// Questions of a batch that are to be decided on different revisions.
    #[error("the questions of a batch are to be decided on different revisions")]
    Revisions,
}

/// Why a text is no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no server; write it like `127.0.0.1:9191`, `pdp.internal:9191` or `unix:/run/verdict.sock`")]
pub struct InvalidServer(pub(super) String);

impl Fault {
    /// A stable code, for logs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Question(_) => "invalid_question",
            Self::Deadline(_) => "deadline_exceeded",
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "call_refused",
            Self::Malformed(_) => "malformed_answer",
            Self::Panicked => "panicked",
        }
    }
}

/// Why a credential can't be shown. Nothing of it is in this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential has characters that no header can have")]
pub struct InvalidCredential;
