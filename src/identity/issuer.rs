//! What an issuer's tokens must be like, and whom they are about.

use std::time::Duration;

use super::{Algorithm, Invalid};
use crate::decision::{Object, Subject, Value};

/// Settings of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its name in the configuration.
    pub name: String,
    /// How its tokens are known.
    pub identity: Identity,
    /// The algorithms that it may sign with.
    pub algorithms: Vec<Algorithm>,
    /// The audiences of which a token must have one.
    pub audience: Vec<String>,
    /// The types that a token may have, in small letters, without `application/`; an empty one stands for none.
    pub types: Vec<String>,
    /// How far its clock may be from ours.
    pub leeway: Duration,
    /// The greatest time since a token was issued.
    pub max_age: Option<Duration>,
    /// The longest time from issue to expiry.
    pub max_lifetime: Option<Duration>,
    /// Claims that a token must have.
    pub required_claims: Vec<String>,
    /// Whether a token must be bound to a key.
    pub bound: bool,
    /// Whom its tokens are about.
    pub subject: Mapping,
}

/// How an issuer's tokens are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// By the whole of `iss` (RFC 7519 §4.1.1).
    Issuer(String),
    /// By the trust domain of a SPIFFE id in `sub` (JWT-SVID §3.1).
    TrustDomain(String),
    /// By how they begin, and by being no signed tokens where that is nothing: the issuer is asked about them
    /// (RFC 7662). What it says of `iss` must be this, if it is given.
    Opaque {
        /// How they begin.
        prefix: String,
        /// The issuer.
        issuer: Option<String>,
    },
}

/// Which claims make the subject. A claim is a path: names, each inside the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The type, where no claim gives it.
    pub kind: String,
    /// The claim that is the type.
    pub kind_claim: Option<Vec<String>>,
    /// The claims of which the first that is there is the id.
    pub id_claims: Vec<Vec<String>>,
    /// Properties, and the claims that they are.
    pub properties: Vec<(String, Vec<String>)>,
}

impl Default for Mapping {
    fn default() -> Self {
        let sub = vec![vec!["sub".to_owned()]];
        Self { kind: "user".to_owned(), kind_claim: None, id_claims: sub, properties: Vec::new() }
    }
}

impl Identity {
    /// Whether nothing tells their tokens from each other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Opaque { prefix, .. }, Self::Opaque { prefix: other, .. }) => prefix == other,
            _ => self == other,
        }
    }

    /// Whether a token with these claims says that it is this issuer's.
    pub(super) fn is_of(&self, claims: &Object) -> bool {
        let text = |name: &str| match claims.get(name) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        };
        match self {
            Self::Opaque { .. } => false,
            Self::Issuer(issuer) => text("iss") == Some(issuer),
            Self::TrustDomain(domain) => text("sub")
                .and_then(|sub| sub.strip_prefix("spiffe://"))
                .and_then(|rest| rest.split_once('/'))
                .is_some_and(|(its, path)| its == domain && path.split('/').all(is_segment)),
        }
    }
}

/// A segment of the path of a SPIFFE id (SPIFFE-ID §2.2).
fn is_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !matches!(text, "" | "." | "..") && text.bytes().all(plain)
}

impl Mapping {
    /// The subject of a token.
    pub(super) fn subject(&self, claims: &Object) -> Result<Subject, Invalid> {
        let kind = match &self.kind_claim {
            None => self.kind.clone(),
            Some(path) => text(claims, path)?.ok_or(Invalid::ClaimMissing)?,
        };
        let mut id = None;
        for path in &self.id_claims {
            id = id.or(text(claims, path)?);
        }
        let id = id.ok_or(Invalid::ClaimMissing)?;
        let found = |(name, path): &(String, Vec<String>)| Some((name.clone(), at(claims, path)?.clone()));
        Ok(Subject { kind, id, properties: self.properties.iter().filter_map(found).collect() })
    }

    /// The mapped properties that a subject does not have.
    pub(super) fn absent(&self, subject: &Subject) -> Vec<String> {
        let names = self.properties.iter().map(|(name, _)| name);
        names.filter(|name| subject.properties.get(name).is_none()).cloned().collect()
    }
}

fn at<'a>(claims: &'a Object, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(claims.get(first)?, |value, name| match value {
        Value::Object(members) => members.get(name),
        _ => None,
    })
}

/// A claim that identifies: a text with something in it. One of another type is no reason to look at the next.
fn text(claims: &Object, path: &[String]) -> Result<Option<String>, Invalid> {
    match at(claims, path) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(Invalid::Malformed("a claim that identifies its subject is no text")),
    }
}
