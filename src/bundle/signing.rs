//! Signatures of bundles, as OPA makes and checks them: `.signatures.json` holds one token over the hashes of all files
//! (OPA's documentation on bundles, "Signing").
//!
//! Pure: the time is given. Stricter than OPA: what a token's header says must be what is configured, `exp` and `nbf`
//! count, deltas are checked, an unsigned bundle is refused whenever keys are configured, and weak hashes are not taken.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::{Package, structured::Unreadable};

mod algorithm;
mod exclude;
mod hash;
mod invalid;
mod key;
#[cfg(test)]
mod tests;
mod token;

use self::token::Token;
pub use self::{
    algorithm::{Algorithm, UnknownAlgorithm},
    exclude::Patterns,
    invalid::{InvalidSignature, InvalidVerification, SigningError},
    key::{InvalidKey, SigningKey, VerificationKey},
    token::{Claimed, SignedFile},
};

/// The hash that is signed with; OPA, too, signs with no other.
const HASH: &str = "SHA-256";

/// What a bundle's signature must be.
#[derive(Clone, Debug)]
pub struct Verification {
    keys: BTreeMap<String, VerificationKey>,
    key_id: Option<String>,
    scope: Option<String>,
    exclude: Patterns,
}

/// What a signature says besides the files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The name of the key, for the one who verifies; goes into the token's header.
    pub key_id: Option<String>,
    /// Further members of the token's payload: `scope`, `iss`, `iat`, `nbf`, `exp`, or anything else.
    pub claims: Map<String, Json>,
}

impl Verification {
    /// `key_id` is the key to use, whatever the token says; without it, the token names one of `keys`. `scope` is what
    /// the token must have; without it, the key's. `exclude` are patterns (Go's `path.Match`) of files that need no
    /// signature.
    pub fn new(
        keys: BTreeMap<String, VerificationKey>,
        key_id: Option<String>,
        scope: Option<String>,
        exclude: &[String],
    ) -> Result<Self, InvalidVerification> {
        if keys.is_empty() {
            return Err(InvalidVerification::NoKeys);
        }
        if let Some(id) = key_id.as_ref().filter(|id| !keys.contains_key(*id)) {
            return Err(InvalidVerification::KeyId { id: id.clone(), known: keys.into_keys().collect() });
        }
        let exclude = Patterns::new(exclude).map_err(|pattern| InvalidVerification::Pattern { pattern })?;
        Ok(Self { keys, key_id, scope, exclude })
    }

    /// Whether `package` is exactly what one of the keys signed, and may be used now. A delta is no exception.
    ///
    /// `now` is in seconds since 1970.
    pub fn verify(&self, package: &Package, now: u64) -> Result<(), InvalidSignature> {
        let text = token::only(package.signatures.as_deref().ok_or(InvalidSignature::Unsigned)?)?;
        let Token { claimed, message, signature } = Token::read(&text)?;
        let id = self.key_id.as_ref().or(claimed.key_id.as_ref()).ok_or(InvalidSignature::NoKeyId)?;
        let key = self.keys.get(id).ok_or_else(|| InvalidSignature::UnknownKey {
            id: id.clone(),
            known: self.keys.keys().cloned().collect(),
        })?;
        if claimed.algorithm != key.algorithm().name() {
            let (id, found) = (id.clone(), claimed.algorithm);
            return Err(InvalidSignature::Algorithm { id, found, wanted: key.algorithm() });
        }
        if !key.verifies(message.as_bytes(), &signature) {
            return Err(InvalidSignature::Signature { id: id.clone() });
        }
        let wanted = self.scope.as_deref().unwrap_or(key.scope());
        if claimed.scope != wanted {
            return Err(InvalidSignature::Scope { found: claimed.scope, wanted: wanted.to_owned() });
        }
        if let Some(at) = claimed.expires.filter(|at| *at <= now) {
            return Err(InvalidSignature::Expired { at, now });
        }
        if let Some(at) = claimed.not_before.filter(|at| *at > now) {
            return Err(InvalidSignature::NotYetValid { at, now });
        }
        self.files(package, &claimed.files)
    }

    fn files(&self, package: &Package, signed: &[SignedFile]) -> Result<(), InvalidSignature> {
        let mut listed: BTreeMap<&str, &SignedFile> = BTreeMap::new();
        for file in signed {
            let path = normal(&file.name);
            if listed.insert(path, file).is_some() {
                return Err(InvalidSignature::Duplicate { path: path.to_owned() });
            }
        }
        let mut seen = BTreeSet::new();
        for file in &package.files {
            let path = normal(&file.path);
            if !seen.insert(path) {
                return Err(InvalidSignature::Duplicate { path: path.to_owned() });
            }
            let entry = listed.remove(path);
            if self.exclude.holds(path) {
                continue;
            }
            let path = || path.to_owned();
            let SignedFile { hash, algorithm, .. } =
                entry.ok_or_else(|| InvalidSignature::NotSigned { path: path() })?;
            match hash::of(algorithm, &file.path, &file.bytes) {
                None => return Err(InvalidSignature::Hash { path: path(), algorithm: algorithm.clone() }),
                Some(Err(Unreadable(cause))) => return Err(InvalidSignature::Unreadable { path: path(), cause }),
                Some(Ok(found)) if !found.eq_ignore_ascii_case(hash) => {
                    return Err(InvalidSignature::Changed { path: path() });
                }
                Some(Ok(_)) => {}
            }
        }
        match listed.into_keys().next() {
            Some(path) => Err(InvalidSignature::Missing { path: path.to_owned() }),
            None => Ok(()),
        }
    }
}

/// A `.signatures.json` over all files of `package`.
pub fn sign(package: &Package, key: &SigningKey, options: &Options) -> Result<Vec<u8>, SigningError> {
    if options.claims.contains_key("files") {
        return Err(SigningError::Files);
    }
    let mut files = Vec::with_capacity(package.files.len());
    for file in &package.files {
        let name = normal(&file.path).to_owned();
        match hash::of(HASH, &file.path, &file.bytes) {
            Some(Ok(hash)) => files.push(SignedFile { name, hash, algorithm: HASH.to_owned() }),
            Some(Err(Unreadable(cause))) => return Err(SigningError::Unreadable { path: name, cause }),
            None => return Err(SigningError::Key),
        }
    }
    token::write(key, options.key_id.as_deref(), options.claims.clone(), &files)
}

/// What the signature of `package` says, which may be anybody's words; `None` where there is none.
pub fn claimed(package: &Package) -> Result<Option<Claimed>, InvalidSignature> {
    let Some(file) = &package.signatures else { return Ok(None) };
    let text = token::only(file)?;
    Ok(Some(Token::read(&text)?.claimed))
}

/// `/a` and `./a` are `a`: archives name their files in each of these ways, and OPA signs the names as they are.
fn normal(path: &str) -> &str {
    path.trim_start_matches("./").trim_start_matches('/')
}
