//! What keeps an issuer's keys from being had.

/// Why there are no keys, for the log. Nothing in it comes from a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The file is none, or can't be read.
    #[error("`{path}` {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It is larger than any set of keys.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    /// What is there is no set of keys.
    #[error("it is no JWK set")]
    NoKeys,
}
