//! A token to the caller that it proves.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use sha2::{Digest as _, Sha256};

use super::{
    Algorithm, Identity, Invalid, Issuer, KeySet, Proof, Revocations, Secret, actors,
    cache::{Cache, Hash, Weighed},
    claims::{self, Times},
    jws::Unverified,
    opaque::Told,
};
use crate::decision::{Object, Subject, Value};

/// Whom a token proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// The subject that the issuer's mapping makes of the claims.
    pub subject: Subject,
    /// The verified claims, with `scope` and `actors` as lists, and with `verified`: what Verdict says of the token.
    pub claims: Object,
    /// The properties that the mapping would make of claims that the token does not have: nobody else may state them.
    pub absent: Vec<String>,
    /// How long it is proven, from when it was verified: until the token expires or grows too old, without the leeway.
    pub left: Option<Duration>,
}

impl Caller {
    /// Whether that is whom the token proves.
    #[must_use]
    pub fn is(&self, subject: &Subject) -> bool {
        (&subject.kind, &subject.id) == (&self.subject.kind, &self.subject.id)
    }

    /// Puts what the token says of its subject over what only an enforcement point says, and takes away what the token
    /// would say.
    pub fn speak_for(&self, properties: &mut Object) {
        for name in &self.absent {
            properties.remove(name);
        }
        for (name, value) in self.subject.properties.iter() {
            properties.insert(name.to_owned(), value.clone());
        }
    }
}

/// A token whose signature, type and audience were good.
pub(super) struct Verified {
    issuer: usize,
    /// The keys that verified it: with others, it is verified again.
    keys: Arc<KeySet>,
    times: Times,
    caller: Caller,
    size: usize,
}

impl Weighed for Verified {
    fn size(&self) -> usize {
        self.size
    }
}

/// Verifies tokens of the issuers that are configured.
pub struct Verifier {
    pub(super) issuers: Vec<(Issuer, ArcSwapOption<KeySet>)>,
    pub(super) revocations: Arc<dyn Revocations>,
    cache: Cache<Verified>,
    /// What issuers said of tokens that are active.
    pub(super) active: Cache<Told>,
    /// And of others, apart from those: anybody can make some up.
    pub(super) inactive: Cache<Told>,
}

impl Verifier {
    /// A verifier that has no keys yet; it remembers tokens in about `cache_bytes`.
    pub fn new(mut issuers: Vec<Issuer>, revocations: Arc<dyn Revocations>, cache_bytes: usize) -> Self {
        // What says whose it is goes before what only looks like somebody's.
        issuers.sort_by_key(|issuer| match &issuer.identity {
            Identity::Issuer(_) => (0, 0),
            Identity::TrustDomain(_) => (1, 0),
            // The longest beginning first.
            Identity::Opaque { prefix, .. } => (2, usize::MAX - prefix.len()),
        });
        let issuers = issuers.into_iter().map(|issuer| (issuer, ArcSwapOption::empty())).collect();
        let (cache, active) = (Cache::new(cache_bytes / 2), Cache::new(cache_bytes / 4));
        Self { issuers, revocations, cache, active, inactive: Cache::new(cache_bytes / 4) }
    }

    /// How many tokens' signatures were known already, and how many were not.
    #[must_use]
    pub fn remembered(&self) -> (u64, u64) {
        self.cache.figures()
    }

    /// Whether there is no issuer whose tokens are good.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// The name of the issuer whose token it says to be. Nothing of it is verified.
    #[must_use]
    pub fn issuer_of(&self, token: &Secret) -> Option<&str> {
        let unverified = Unverified::read(token.expose()).ok()?;
        self.issuers
            .iter()
            .map(|(issuer, _)| issuer)
            .find(|issuer| issuer.identity.is_of(&unverified.claims))
            .map(|issuer| issuer.name.as_str())
    }

    /// Gives the issuer of that name these keys in place of those that it had; `None` takes them away.
    pub fn publish(&self, issuer: &str, keys: Option<KeySet>) {
        let Some((_, its)) = self.issuers.iter().find(|(its, _)| its.name == issuer) else { return };
        // The same keys again make nothing to be verified again.
        if its.load().as_deref() != keys.as_ref() {
            its.store(keys.map(Arc::new));
        }
    }

    /// Whom the token proves at this time. Its times, its revocation and its proof are looked at each time, whatever is
    /// remembered of its signature.
    pub fn verify(&self, token: &Secret, proof: &Proof, now: SystemTime) -> Result<Caller, Invalid> {
        let hash = hash(token);
        let verified = match self.cache.look_up(&hash).filter(|known| self.holds(known)) {
            Some(known) => known,
            None => self.read(token, now).map(Arc::new)?,
        };
        let (issuer, _) = self.issuers.get(verified.issuer).ok_or(Invalid::IssuerUnknown)?;
        if let Err(invalid) = verified.times.check(issuer, now) {
            self.cache.remove(&hash);
            return Err(invalid);
        }
        let mut caller = Caller { left: verified.times.left(issuer, now), ..verified.caller.clone() };
        if self.revocations.is_revoked(&issuer.name, &caller.claims) {
            return Err(Invalid::Revoked);
        }
        // Always ours, as what is added when it is verified: a claim of this name is not what policies read.
        let signals = self.revocations.signals(&issuer.name, &caller.claims);
        caller.claims.insert("signals".to_owned(), Value::Object(signals));
        proof.check(&caller.claims, issuer.bound)?;
        if self.cache.get(&hash).is_none_or(|known| !Arc::ptr_eq(&known, &verified)) {
            self.cache.insert(hash, verified);
        }
        Ok(caller)
    }

    /// The same, where a subject is given beside the token: it must be the token's.
    pub fn verify_for(
        &self,
        token: &Secret,
        proof: &Proof,
        now: SystemTime,
        stated: Option<&Subject>,
    ) -> Result<Caller, Invalid> {
        let caller = self.verify(token, proof, now)?;
        match stated {
            Some(stated) if !caller.is(stated) => Err(Invalid::SubjectMismatch),
            _ => Ok(caller),
        }
    }

    #[cfg(test)]
    pub(super) fn cache(&self) -> &Cache<Verified> {
        &self.cache
    }

    /// Whether what is remembered was verified with the keys that the issuer has now.
    fn holds(&self, known: &Verified) -> bool {
        self.issuers
            .get(known.issuer)
            .is_some_and(|(_, keys)| keys.load().as_ref().is_some_and(|keys| Arc::ptr_eq(keys, &known.keys)))
    }

    fn read(&self, token: &Secret, now: SystemTime) -> Result<Verified, Invalid> {
        let unverified = Unverified::read(token.expose())?;
        // Only whose keys to try; believed once the signature is one of them.
        let of = |(_, (issuer, _)): &(usize, &(Issuer, _))| issuer.identity.is_of(&unverified.claims);
        let (position, (issuer, keys)) = self.issuers.iter().enumerate().find(of).ok_or(Invalid::IssuerUnknown)?;
        let algorithm = unverified.algorithm.parse::<Algorithm>().map_err(|_| Invalid::AlgorithmRefused)?;
        if !issuer.algorithms.contains(&algorithm) {
            return Err(Invalid::AlgorithmRefused);
        }
        if !issuer.types.iter().any(|kind| kind == unverified.kind.as_deref().unwrap_or_default()) {
            return Err(Invalid::TypeRefused);
        }
        let keys = keys.load_full().ok_or(Invalid::KeysUnavailable)?;
        keys.verify(&unverified, algorithm)?;

        let claims = unverified.claims;
        claims::check(&claims, issuer)?;
        let times = Times::of(&claims, issuer)?;
        times.check(issuer, now)?;
        let caller = caller(issuer, claims)?;
        let size = 2 * token.expose().len();
        Ok(Verified { issuer: position, keys, times, caller, size })
    }
}

impl Identity {
    /// What a message may call it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Issuer(name) | Self::TrustDomain(name) | Self::Opaque { prefix: name, .. } => name,
        }
    }
}

/// Whom these claims prove.
pub(super) fn caller(issuer: &Issuer, mut claims: Object) -> Result<Caller, Invalid> {
    let subject = issuer.subject.subject(&claims)?;
    let absent = issuer.subject.absent(&subject);
    claims::scopes(&mut claims)?;
    // Always ours: a claim of one of these names in the token is not what policies read.
    claims.insert("actors".to_owned(), actors::of(&claims)?);
    let verified = verified(issuer, &claims);
    claims.insert("verified".to_owned(), verified);
    Ok(Caller { subject, claims, absent, left: None })
}

/// What Verdict itself says of a token: which issuer's, of which kind, and by what it is bound to its bearer. A binding
/// that is listed was proven, as every one must be.
fn verified(issuer: &Issuer, claims: &Object) -> Value {
    let kind = match issuer.identity {
        Identity::Issuer(_) => "jwt",
        Identity::TrustDomain(_) => "jwt-svid",
        Identity::Opaque { .. } => "opaque",
    };
    let bindings = match claims.get("cnf") {
        Some(Value::Object(cnf)) => cnf.iter().map(|(method, _)| Value::from(method)).collect(),
        _ => Vec::new(),
    };
    let members = [
        ("issuer", Value::from(issuer.name.as_str())),
        ("kind", Value::from(kind)),
        ("bindings", Value::Array(bindings)),
    ];
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub(super) fn hash(token: &Secret) -> Hash {
    Sha256::digest(token.expose().as_bytes()).into()
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.issuers.iter().map(|(issuer, _)| Value::from(issuer.name.as_str()))).finish()
    }
}
