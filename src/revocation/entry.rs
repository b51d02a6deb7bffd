//! One revocation: of what, of which tokens of it, by whom and why.

use std::{fmt, str::FromStr};

/// What kind of thing is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// One token, by its `jti` (RFC 7519 §4.1.7).
    Token,
    /// The tokens of a session, by `sid` (OpenID Connect Front-Channel Logout 1.0 §3).
    Session,
    /// The tokens of a subject, by `sub`.
    Subject,
    /// The tokens of a client or an agent, by `client_id` (RFC 8693 §4.3) or `azp`; also where it is an actor.
    Client,
    /// The tokens in whose chain of actors (`act`, RFC 8693 §4.1) somebody is, by `sub` or `client_id`.
    Actor,
    /// The tokens of whoever is known otherwise: `email:…`, `phone:…` or `uri:…`.
    Identifier,
    /// All tokens of an issuer.
    Everything,
    /// A device. Nothing is revoked by one; signals are about it.
    Device,
    /// A tenant, a unit or a group. Nothing is revoked by one; signals are about it.
    Group,
}

/// What is revoked: which one, of which issuer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// What kind of thing.
    pub kind: Kind,
    /// The issuer, by the `iss` of its tokens, or `spiffe://` and the trust domain.
    pub issuer: String,
    /// Which; empty for everything.
    pub value: String,
}

/// Which of a target's tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Only tokens issued before this time, in seconds since 1970; a token without `iat` is one. `None` means all.
    pub issued_before: Option<u64>,
    /// Whether tokens of sessions that began before that time are meant, too, however young they are (`auth_time`).
    pub sessions: bool,
    /// Until when it is in force, in seconds since 1970; `None` means for ever.
    pub expires: Option<u64>,
}

/// A revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What is revoked.
    pub target: Target,
    /// Which of its tokens.
    pub reach: Reach,
    /// Why, for people; may be empty.
    pub reason: String,
    /// Who says so; may be empty.
    pub author: String,
    /// Since when, in seconds since 1970. Of an event: when it happened.
    pub at: u64,
    /// The transmitter that it comes from; empty for operators.
    pub source: String,
    /// The type of the event that it comes from, without the URI's path; empty for operators.
    pub event: String,
}

/// By which a revocation is known: 48 hexadecimal digits. The same revocation again has the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 24]);

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no id of a revocation, which has 48 hexadecimal digits, of which the first {} will do; `verdict revoke list` shows them",
    Id::FEWEST
)]
pub struct InvalidId;

impl Kind {
    /// Every kind, in the order of their numbers on disk.
    pub const ALL: [Self; 9] = [
        Self::Token,
        Self::Session,
        Self::Subject,
        Self::Client,
        Self::Actor,
        Self::Identifier,
        Self::Everything,
        Self::Device,
        Self::Group,
    ];

    /// Its name, on disk and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Subject => "subject",
            Self::Client => "client",
            Self::Actor => "actor",
            Self::Identifier => "identifier",
            Self::Everything => "everything",
            Self::Device => "device",
            Self::Group => "group",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether tokens are revoked by one.
    #[must_use]
    pub fn revokes(self) -> bool {
        !matches!(self, Self::Device | Self::Group)
    }

    /// Its place in [`Self::ALL`].
    pub(super) fn number(self) -> usize {
        self as usize
    }
}

impl Target {
    /// The thing of that kind, of that issuer.
    pub fn new(kind: Kind, issuer: impl Into<String>, value: impl Into<String>) -> Self {
        Self { kind, issuer: issuer.into(), value: value.into() }
    }
}

impl Reach {
    /// Whether it is over at that time.
    #[must_use]
    pub fn is_over(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Id {
    /// The fewest digits that stand for an id.
    pub const FEWEST: usize = 6;

    /// Whether a text can be how an id begins.
    #[must_use]
    pub fn is_beginning(text: &str) -> bool {
        Self::beginning(text).is_some()
    }

    /// The first and the last id that begins with these digits; `None` where these are none, or too few or too many.
    pub(super) fn beginning(digits: &str) -> Option<(Self, Self)> {
        let most = 2 * size_of::<Self>();
        if !(Self::FEWEST..=most).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let filled = |with: char| format!("{digits}{}", with.to_string().repeat(most - digits.len())).parse().ok();
        filled('0').zip(filled('f'))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 24];
        if text.len() != 2 * bytes.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidId);
        }
        for (byte, at) in bytes.iter_mut().zip((0..text.len()).step_by(2)) {
            let digits = text.get(at..at + 2).ok_or(InvalidId)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidId)?;
        }
        Ok(Self(bytes))
    }
}
