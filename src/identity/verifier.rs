//! A token to the caller that it proves.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwapOption;
use sha2::{Digest as _, Sha256};

use super::{
    Algorithm, Identity, Invalid, Issuer, KeySet, Proof, Revocations, Secret, actors,
    cache::{Cache, Hash},
    claims::{self, Times},
    jws::Unverified,
};
use crate::decision::{Object, Subject, Value};

/// Whom a token proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// The subject that the issuer's mapping makes of the claims.
    pub subject: Subject,
    /// The verified claims, with `scope` and `actors` as lists.
    pub claims: Object,
}

/// A token whose signature, type and audience were good.
pub(super) struct Verified {
    issuer: usize,
    /// The keys that verified it: with others, it is verified again.
    keys: Arc<KeySet>,
    times: Times,
    caller: Caller,
}

/// Verifies tokens of the issuers that are configured.
pub struct Verifier {
    issuers: Vec<(Issuer, ArcSwapOption<KeySet>)>,
    revocations: Arc<dyn Revocations>,
    cache: Cache,
}

impl Verifier {
    /// A verifier that has no keys yet.
    pub fn new(issuers: Vec<Issuer>, revocations: Arc<dyn Revocations>) -> Self {
        let issuers = issuers.into_iter().map(|issuer| (issuer, ArcSwapOption::empty())).collect();
        Self { issuers, revocations, cache: Cache::new() }
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
        let verified = match self.cache.get(&hash).filter(|known| self.holds(known)) {
            Some(known) => known,
            None => self.read(token, now).map(Arc::new)?,
        };
        let (issuer, _) = self.issuers.get(verified.issuer).ok_or(Invalid::IssuerUnknown)?;
        if let Err(invalid) = verified.times.check(issuer, now) {
            self.cache.remove(&hash);
            return Err(invalid);
        }
        let caller = verified.caller.clone();
        if self.revocations.is_revoked(&issuer.name, &caller.claims) {
            return Err(Invalid::Revoked);
        }
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
            Some(stated) if (&stated.kind, &stated.id) != (&caller.subject.kind, &caller.subject.id) => {
                Err(Invalid::SubjectMismatch)
            }
            _ => Ok(caller),
        }
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

        let mut claims = unverified.claims;
        claims::check(&claims, issuer)?;
        let times = Times::of(&claims, issuer)?;
        times.check(issuer, now)?;
        let subject = issuer.subject.subject(&claims)?;
        claims::scopes(&mut claims)?;
        // Always ours: a claim of this name in the token is not what policies read.
        claims.insert("actors".to_owned(), actors::of(&claims)?);
        Ok(Verified { issuer: position, keys, times, caller: Caller { subject, claims } })
    }
}

impl Identity {
    /// What a message may call it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Issuer(name) | Self::TrustDomain(name) => name,
        }
    }
}

fn hash(token: &Secret) -> Hash {
    Sha256::digest(token.expose().as_bytes()).into()
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.issuers.iter().map(|(issuer, _)| Value::from(issuer.name.as_str()))).finish()
    }
}
