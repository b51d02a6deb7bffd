//! Why a token is refused, in RFC 8935's words (§2.4).

use std::fmt;

use crate::{identity::Invalid, revocation::Refused};

/// The registered errors ("Security Event Token Error Codes", RFC 8935 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Error {
    /// It is no such token, or its event is not what its type says.
    InvalidRequest,
    /// It is signed with no key that is good.
    InvalidKey,
    /// No transmitter that is configured has its `iss`.
    InvalidIssuer,
    /// It is for somebody else.
    InvalidAudience,
    /// The transmitter is not who it says to be.
    AuthenticationFailed,
    /// The transmitter may not say that, or not this way.
    AccessDenied,
}

/// Why a token is not taken. No variant has any part of the token's signature or of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused; the same again would be, too.
    Refused(Error, String),
    /// It can't be verified, or what it says can't be kept, now; the same may be taken later.
    NotNow(String),
}

impl Error {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::InvalidRequest,
        Self::InvalidKey,
        Self::InvalidIssuer,
        Self::InvalidAudience,
        Self::AuthenticationFailed,
        Self::AccessDenied,
    ];

    /// Its registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidKey => "invalid_key",
            Self::InvalidIssuer => "invalid_issuer",
            Self::InvalidAudience => "invalid_audience",
            Self::AuthenticationFailed => "authentication_failed",
            Self::AccessDenied => "access_denied",
        }
    }
}

impl Fault {
    /// It is no token that is taken.
    pub(super) fn request(why: impl Into<String>) -> Self {
        Self::Refused(Error::InvalidRequest, why.into())
    }

    /// The transmitter may not say that.
    pub(super) fn denied(why: impl Into<String>) -> Self {
        Self::Refused(Error::AccessDenied, why.into())
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        if invalid == Invalid::KeysUnavailable {
            return Self::NotNow("the transmitter's keys can't be had".to_owned());
        }
        let error = match invalid {
            Invalid::AlgorithmRefused | Invalid::KeyUnknown | Invalid::SignatureInvalid => Error::InvalidKey,
            _ => Error::InvalidRequest,
        };
        Self::Refused(error, invalid.to_string())
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLong(_) => Self::request(refused.to_string()),
            _ => Self::NotNow(refused.to_string()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error, why) => write!(out, "{}: {why}", error.name()),
            Self::NotNow(why) => out.write_str(why),
        }
    }
}
