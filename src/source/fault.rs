//! What can go wrong with a source that is reached over a network, in words without secrets.

use std::{error::Error as StdError, path::PathBuf, time::Duration};

use super::spec::shown;

/// The longest text of somebody else's that goes into a message, in characters.
const LONGEST: usize = 300;

/// What happened; reads on from the source's URL.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection, or it broke.
    #[error("cannot be reached: {0}; check the address, the network and the certificates")]
    Unreachable(String),
    /// It took too long in all.
    #[error("did not give everything within {0:?}; raise `limits.timeout` if it needs longer")]
    Slow(Duration),
    /// It sent nothing for too long.
    #[error("sent nothing for {0:?}; raise `limits.idle_timeout` if it needs longer")]
    Idle(Duration),
    /// It answered with an error.
    #[error("answered with status {code}{}", hint(*code))]
    Status {
        /// HTTP's status code.
        code: u16,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// More than is taken.
    #[error("is larger than {0} bytes; raise `limits.size` if it should be")]
    TooLarge(u64),
    /// Nothing at all.
    #[error("is empty; an archive was expected")]
    Empty,
    /// Something else than an archive.
    #[error(
        "is `{0}`, not an archive; it may be a page of a login or of an error, so check the URL and the credentials"
    )]
    ContentType(String),
    /// A redirection that is not followed.
    #[error("redirects {0}")]
    Redirect(String),
    /// A file of a secret or a certificate that is of no use.
    #[error("needs `{}`, which {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The token endpoint gave no token.
    #[error("needs a token, but `{place}` {problem}")]
    Token {
        /// The token endpoint.
        place: String,
        /// What happened there.
        problem: String,
    },
    /// Something that the protocol does not allow.
    #[error("{0}")]
    Protocol(String),
    /// What came is not what the digest says.
    #[error("gave other content than the digest `{0}` says; it was damaged or exchanged on the way")]
    Digest(String),
    /// The client could not be made from the settings.
    #[error("cannot be asked: {0}")]
    Client(String),
    /// A defect in the client itself, or the process is ending.
    #[error("could not be asked to the end: {0}")]
    BrokenOff(String),
}

impl Fault {
    /// How long the other side asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn hint(code: u16) -> &'static str {
    match code {
        401 => " (unauthorized); check the credentials",
        403 => " (forbidden); check the credentials and what they may read",
        404 => " (not found); check the path",
        407 => " (proxy authentication required)",
        429 => " (too many requests); ask less often",
        500..=599 => " (a fault of the server); it is asked again",
        _ => "",
    }
}

/// An error and its causes in one text, without what may be secret.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many libraries repeat the cause in their own text.
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    clean(&text)
}

/// A text of somebody else's as one bounded line, its URLs without user information and queries.
fn clean(text: &str) -> String {
    let mut line = String::new();
    for (index, word) in text.split_whitespace().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let word = if word.contains("://") { shown(word) } else { word.to_owned() };
        line.extend(word.chars().map(|next| if next.is_control() { '\u{fffd}' } else { next }));
    }
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.split_at(end).0),
        None => line,
    }
}
