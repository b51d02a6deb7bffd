//! Why a bundle is not taken, and why nothing can be signed or verified.

use super::Algorithm;

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

fn listed(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}
