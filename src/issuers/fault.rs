//! What keeps an issuer from being heard.

use std::time::Duration;

/// Why an issuer's keys, or its word about a token, can't be had, for the log. Nothing in it comes from a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// A file is none, or can't be read.
    #[error("`{path}` {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A URL may not be asked.
    #[error("the address of its keys {0}")]
    Refused(&'static str),
    /// Nobody answers.
    #[error("it can't be reached: {0}")]
    Unreachable(String),
    /// The answer took too long.
    #[error("it did not answer within {0:?}")]
    Late(Duration),
    /// It answers with another status than 200; redirections are not followed.
    #[error("it answered with status {0}")]
    Status(u16),
    /// It is larger than it may be.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    /// What is there is no set of keys.
    #[error("it is no JWK set")]
    NoKeys,
    /// What is there are no metadata of an issuer.
    #[error("its metadata {0}")]
    Metadata(&'static str),
    /// There is no secret to ask it with.
    #[error("the client's secret can't be had: {0}")]
    Secret(String),
}
