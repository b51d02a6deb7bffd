//! Why there is no verdict. For the log of whoever asked: the person who was refused is told none of it.

use std::time::Duration;

use tonic::{Code, Status};

/// Why there is no verdict. Each means deny.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given is no server.
    #[error("`{0}` is no server; write it like `127.0.0.1:9191` or `unix:/run/verdict.sock`")]
    Server(String),
    /// The question can't be put over gRPC as it is.
    #[error("the question can't be asked: {0}")]
    Question(#[from] InvalidQuestion),
    /// No answer came in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Deadline(Duration),
    /// The server could not be reached, or took no questions, in every attempt.
    #[error("the server is unavailable: {}", .0.message())]
    Unavailable(#[source] Box<Status>),
    /// The server refused the call.
    #[error("the server refused: {}", .0.message())]
    Refused(#[source] Box<Status>),
    /// What came is no answer to what was asked.
    #[error("the answer is malformed: {0}; is it a Verdict server?")]
    Malformed(&'static str),
}

/// Why a question can't be put over gRPC: the server would be asked another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuestion {
    /// A number that a double does not hold.
    #[error("a number in it is not exact as a double; give it as a string")]
    Inexact,
    /// A token's claims: a server believes only what it verified itself.
    #[error("it has a token's claims, which a server verifies itself")]
    Token,
    /// An input, a document or strictness, which only OPA's API and Envoy's have.
    #[error("it asks for what only other doors have")]
    OtherDoor,
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Unavailable => Self::Unavailable(status.into()),
            _ => Self::Refused(status.into()),
        }
    }
}
