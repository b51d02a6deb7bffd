//! Opaque tokens: what their issuer says of them (RFC 7662), and for how long that is taken for true.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    Caller, Identity, Invalid, Issuer, Proof, Secret, Verifier,
    cache::Weighed,
    claims::{self, Times},
    verifier::{caller, hash},
};
use crate::decision::{Object, Value, json};

/// The longest token that an issuer is asked about, in bytes.
const LONGEST: usize = 4 << 10;

/// What an issuer said of a token.
#[derive(Debug)]
pub struct Told {
    issuer: usize,
    /// Until when that is taken for true.
    until: SystemTime,
    /// `None` if the token is not active.
    active: Option<(Times, Caller)>,
    size: usize,
}

/// How long what an issuer said is taken for true, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// That a token is active.
    pub active: Duration,
    /// That it is not.
    pub inactive: Duration,
}

impl Weighed for Told {
    fn size(&self) -> usize {
        self.size
    }
}

impl Verifier {
    /// The name of the issuer that is to be asked about a token, if it is not one that proves itself.
    pub fn opaque_of(&self, token: &Secret) -> Option<Result<&str, Invalid>> {
        let text = token.expose();
        let is_signed = text.bytes().filter(|byte| *byte == b'.').count() == 2;
        let is_of = |issuer: &&Issuer| match &issuer.identity {
            Identity::Opaque { prefix, .. } if prefix.is_empty() => !is_signed,
            Identity::Opaque { prefix, .. } => text.starts_with(prefix.as_str()),
            Identity::Issuer(_) | Identity::TrustDomain(_) => false,
        };
        // Of prefixes that begin alike, the longest is meant.
        let length = |issuer: &&Issuer| match &issuer.identity {
            Identity::Opaque { prefix, .. } => prefix.len(),
            Identity::Issuer(_) | Identity::TrustDomain(_) => 0,
        };
        let issuer = self.issuers.iter().map(|(issuer, _)| issuer).filter(is_of).max_by_key(length)?;
        // RFC 6749 §A.12: visible characters of ASCII. No issuer is asked about anything else.
        let is_token = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        Some(if is_token { Ok(&issuer.name) } else { Err(Invalid::Malformed("it is empty, too long, or no text")) })
    }

    /// What its issuer said of the token, while that is still taken for true.
    #[must_use]
    pub fn recall(&self, token: &Secret, now: SystemTime) -> Option<Arc<Told>> {
        let hash = hash(token);
        self.active.get(&hash).or_else(|| self.inactive.get(&hash)).filter(|told| now < told.until)
    }

    /// Whom the token proves by what its issuer said of it. Times, revocation and proof are looked at each time.
    pub fn prove(&self, told: &Told, proof: &Proof, now: SystemTime) -> Result<Caller, Invalid> {
        let (issuer, _) = self.issuers.get(told.issuer).ok_or(Invalid::IssuerUnknown)?;
        let (times, caller) = told.active.as_ref().ok_or(Invalid::Inactive)?;
        times.check(issuer, now)?;
        if self.revocations.is_revoked(&issuer.name, &caller.claims) {
            return Err(Invalid::Revoked);
        }
        // As of other tokens: what was said since counts, and a claim of this name is not what policies read.
        let signals = self.revocations.signals(&issuer.name, &caller.claims);
        proof.check(&caller.claims, issuer.bound)?;
        // What its issuer says is not taken for true for longer by anybody else.
        let asked_again = told.until.duration_since(now).unwrap_or_default();
        let left = times.left(issuer, now).map_or(asked_again, |left| left.min(asked_again));
        let mut caller = Caller { left: Some(left), ..caller.clone() };
        caller.claims.insert("signals".to_owned(), Value::Object(signals));
        Ok(caller)
    }

    /// Reads what the issuer of that name said of a token (RFC 7662 §2.2), and remembers it.
    pub fn learn(
        &self,
        issuer: &str,
        token: &Secret,
        said: &[u8],
        keep: Keep,
        now: SystemTime,
    ) -> Result<Arc<Told>, Invalid> {
        let position = self.issuers.iter().position(|(its, _)| its.name == issuer).ok_or(Invalid::IssuerUnknown)?;
        let (issuer, _) = self.issuers.get(position).ok_or(Invalid::IssuerUnknown)?;
        let Ok(Value::Object(mut claims)) = json::parse(said) else { return Err(Invalid::IntrospectionUnavailable) };
        let Some(Value::Bool(is_active)) = claims.remove("active") else {
            return Err(Invalid::IntrospectionUnavailable);
        };
        let hash = hash(token);
        let until = |keep| now.checked_add(keep).unwrap_or(now);
        let size = 2 * said.len();
        if !is_active {
            let told = Arc::new(Told { issuer: position, until: until(keep.inactive), active: None, size });
            self.active.remove(&hash);
            self.inactive.insert(hash, Arc::clone(&told));
            return Ok(told);
        }
        let active = Some(believed(issuer, claims, now)?);
        let told = Arc::new(Told { issuer: position, until: until(keep.active), active, size });
        self.inactive.remove(&hash);
        self.active.insert(hash, Arc::clone(&told));
        Ok(told)
    }
}

/// Whom an issuer says that a token proves, if it may be so.
fn believed(issuer: &Issuer, claims: Object, now: SystemTime) -> Result<(Times, Caller), Invalid> {
    if let (Identity::Opaque { issuer: Some(wanted), .. }, Some(said)) = (&issuer.identity, claims.get("iss"))
        && *said != Value::from(wanted.as_str())
    {
        return Err(Invalid::IssuerUnknown);
    }
    claims::check(&claims, issuer)?;
    let times = Times::of(&claims, issuer)?;
    times.check(issuer, now)?;
    Ok((times, caller(issuer, claims)?))
}
