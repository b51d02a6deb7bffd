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
mod key;
#[cfg(test)]
mod tests;
mod token;

use self::token::Token;
pub use self::{
    algorithm::{Algorithm, UnknownAlgorithm},
    exclude::Patterns,
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

/// Why nothing can be verified like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVerification {
    /// There is no key at all.
    #[error("there is no verification key")]
    NoKeys,
    /// The key that is to be used is none of the keys.
    #[error("there is no verification key `{id}`; there is {}", listed(.known))]
    KeyId {
        /// The key that is to be used.
        id: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What is to be a pattern of paths is none.
    #[error(
        "`{pattern}` is no pattern of paths; `*`, `?` and `[a-z]` have a meaning, after a backslash they have none"
    )]
    Pattern {
        /// The pattern.
        pattern: String,
    },
}

/// Why a bundle is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// It is not signed.
    #[error("the bundle is not signed: it has no `.signatures.json`")]
    Unsigned,
    /// `.signatures.json` can't be read.
    #[error("`.signatures.json` can't be read: {cause}")]
    File {
        /// Why.
        cause: String,
    },
    /// There is not exactly one token.
    #[error("`.signatures.json` has {count} tokens instead of one")]
    Count {
        /// How many there are.
        count: usize,
    },
    /// It wants a plugin of OPA.
    #[error("`.signatures.json` wants the plugin `{plugin}`; there are none here")]
    Plugin {
        /// Which.
        plugin: String,
    },
    /// The token can't be read.
    #[error("the signature's token can't be read: {cause}")]
    Token {
        /// Why.
        cause: String,
    },
    /// The token's header has what it must not have.
    #[error("the signature's token has `{name}` in its header, which is not taken: keys come from the configuration")]
    Header {
        /// The member.
        name: &'static str,
    },
    /// Nothing says which key it is.
    #[error("the signature names no key, and none is configured as the one to use")]
    NoKeyId,
    /// The key that it names is none of the keys.
    #[error("the signature is by the key `{id}`; known is {}", listed(.known))]
    UnknownKey {
        /// The key that it names.
        id: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// It is signed otherwise than the key allows.
    #[error("the signature is made with `{found}`; the key `{id}` is for {wanted} only")]
    Algorithm {
        /// The key.
        id: String,
        /// What the token says.
        found: String,
        /// What the key is for.
        wanted: Algorithm,
    },
    /// The key did not make it.
    #[error("the signature is not by the key `{id}`, or was changed")]
    Signature {
        /// The key.
        id: String,
    },
    /// It is for something else.
    #[error("the signature is for the scope `{found}`, and `{wanted}` is wanted")]
    Scope {
        /// What the token says.
        found: String,
        /// What is configured.
        wanted: String,
    },
    /// Its time is over.
    #[error("the signature expired {} s ago", .now.saturating_sub(*.at))]
    Expired {
        /// When, in seconds since 1970.
        at: u64,
        /// And what it is now.
        now: u64,
    },
    /// Its time has not come.
    #[error("the signature is not valid for {} s yet", .at.saturating_sub(*.now))]
    NotYetValid {
        /// When it will be, in seconds since 1970.
        at: u64,
        /// And what it is now.
        now: u64,
    },
    /// A file is in the token twice.
    #[error("the signature lists `{path}` twice")]
    Duplicate {
        /// The file.
        path: String,
    },
    /// A file is not in the token.
    #[error("`{path}` is not signed")]
    NotSigned {
        /// The file.
        path: String,
    },
    /// A file of the token is not there.
    #[error("`{path}` is signed, but is not in the bundle")]
    Missing {
        /// The file.
        path: String,
    },
    /// A file has another content.
    #[error("`{path}` was changed after it was signed")]
    Changed {
        /// The file.
        path: String,
    },
    /// A file is hashed with something else.
    #[error("`{path}` is hashed with `{algorithm}`; SHA-224, -256, -384, -512, -512-224 and -512-256 are taken")]
    Hash {
        /// The file.
        path: String,
        /// With what.
        algorithm: String,
    },
    /// A file whose values are signed has none.
    #[error("`{path}` can't be read: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// A file whose values are signed has none.
    #[error("`{path}` can't be read: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A claim that is not the caller's to make.
    #[error("the claim `files` is made of the bundle's files; take it out")]
    Files,
    /// The key does not sign.
    #[error("the key could not sign")]
    Key,
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

fn listed(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}
