//! The answer, with its reasons.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr, sync::Arc, time::Duration};

use super::{
    explanation::Explanation,
    value::{Object, Value},
};

/// Reason codes that Verdict itself gives; a policy gives its own. Documented in `docs/policies.md`.
pub mod code {
    /// The policy answered false, and said no reason.
    pub const POLICY_DENIED: &str = "policy_denied";
    /// There is no such entry point, or its rule has no value for this question.
    pub const NO_DECISION: &str = "no_decision";
    /// The rule's value is not a decision.
    pub const INVALID_DECISION: &str = "invalid_decision";
    /// Evaluation ended in an error.
    pub const EVALUATION_ERROR: &str = "evaluation_error";
    /// Evaluation took more than it may.
    pub const BUDGET_EXCEEDED: &str = "budget_exceeded";
    /// A bug in Verdict; please report it.
    pub const INTERNAL_ERROR: &str = "internal_error";
    /// An item of a batch is not a valid question.
    pub const INVALID_QUERY: &str = "invalid_query";
    /// The decision could not be recorded, and the decision log is configured to fail closed.
    pub const NOT_RECORDED: &str = "not_recorded";
    /// The caller may not ask this.
    pub const PERMISSION_DENIED: &str = "permission_denied";

    /// All of them.
    pub const ALL: [&str; 9] = [
        POLICY_DENIED,
        NO_DECISION,
        INVALID_DECISION,
        EVALUATION_ERROR,
        BUDGET_EXCEEDED,
        INTERNAL_ERROR,
        INVALID_QUERY,
        NOT_RECORDED,
        PERMISSION_DENIED,
    ];
}

/// Reason codes of denies for a credential that is not believed. Documented in `docs/identity.md`.
pub mod credential_code {
    /// A credential was given where no issuer is configured.
    pub const CREDENTIALS_NOT_CONFIGURED: &str = "credentials_not_configured";
    /// It is no signed token in compact form, or one that two readers could understand differently.
    pub const TOKEN_MALFORMED: &str = "token_malformed";
    /// No configured issuer is the token's.
    pub const ISSUER_UNKNOWN: &str = "issuer_unknown";
    /// The issuer is not configured to use its algorithm.
    pub const ALGORITHM_REFUSED: &str = "algorithm_refused";
    /// The issuer is not configured to use its type.
    pub const TOKEN_TYPE_REFUSED: &str = "token_type_refused";
    /// The issuer has no such key.
    pub const KEY_UNKNOWN: &str = "key_unknown";
    /// The issuer's keys can't be had.
    pub const KEYS_UNAVAILABLE: &str = "keys_unavailable";
    /// The signature is not one of the issuer's keys.
    pub const SIGNATURE_INVALID: &str = "signature_invalid";
    /// It is for somebody else.
    pub const AUDIENCE_MISMATCH: &str = "audience_mismatch";
    /// It has expired.
    pub const TOKEN_EXPIRED: &str = "token_expired";
    /// Its time has not come.
    pub const TOKEN_NOT_YET_VALID: &str = "token_not_yet_valid";
    /// It was issued longer ago than configured.
    pub const TOKEN_TOO_OLD: &str = "token_too_old";
    /// It is valid for longer than configured.
    pub const TOKEN_LIFETIME_EXCEEDED: &str = "token_lifetime_exceeded";
    /// It lacks a claim that it must have.
    pub const CLAIM_MISSING: &str = "claim_missing";
    /// It was revoked.
    pub const TOKEN_REVOKED: &str = "token_revoked";
    /// Its issuer says that it is not active.
    pub const TOKEN_INACTIVE: &str = "token_inactive";
    /// Its issuer can't be asked about it.
    pub const INTROSPECTION_UNAVAILABLE: &str = "introspection_unavailable";
    /// The proof of possession is missing, or of another key.
    pub const PROOF_MISMATCH: &str = "proof_mismatch";
    /// The subject beside the token is another than the token's.
    pub const SUBJECT_MISMATCH: &str = "subject_mismatch";

    /// All of them.
    pub const ALL: [&str; 19] = [
        CREDENTIALS_NOT_CONFIGURED,
        TOKEN_MALFORMED,
        ISSUER_UNKNOWN,
        ALGORITHM_REFUSED,
        TOKEN_TYPE_REFUSED,
        KEY_UNKNOWN,
        KEYS_UNAVAILABLE,
        SIGNATURE_INVALID,
        AUDIENCE_MISMATCH,
        TOKEN_EXPIRED,
        TOKEN_NOT_YET_VALID,
        TOKEN_TOO_OLD,
        TOKEN_LIFETIME_EXCEEDED,
        CLAIM_MISSING,
        TOKEN_REVOKED,
        TOKEN_INACTIVE,
        INTROSPECTION_UNAVAILABLE,
        PROOF_MISMATCH,
        SUBJECT_MISMATCH,
    ];
}

/// Allow or deny. Deny is the default of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The action may be taken.
    Allow,
    /// The action may not be taken.
    #[default]
    Deny,
}

/// Names the policies and data that an answer was decided on.
///
/// A clone shares nothing, so that naming it in an answer writes nothing shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// Rises with each publication in this process; with a store, also over restarts.
    pub sequence: u64,
    /// Equal content, equal digest.
    pub digest: Digest,
    /// What each bundle calls its own content; empty without bundles.
    pub bundles: BTreeMap<String, String>,
}

/// A SHA-256 of policies and data; shown as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// A place in a policy's text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourcePosition {
    /// Path below the policy folder, with `/`.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One cause of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reason {
    /// Stable code for programs; not empty.
    pub code: String,
    /// For operators.
    pub message: String,
    /// For the person who was refused.
    pub user_message: String,
    /// The rule that gave it, where known.
    pub rule: Option<Arc<str>>,
    /// Where that rule stands, where known.
    pub position: Option<SourcePosition>,
    /// Further members that the policy gave.
    pub properties: Object,
}

/// What the enforcement point must do along with the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Obligation {
    /// The obligation.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its parameters.
    pub properties: Object,
}

/// Stronger authentication that would be needed (RFC 9470 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepUp {
    /// Acceptable authentication context class references.
    pub acr_values: Vec<String>,
    /// Greatest age of the authentication.
    pub max_age: Option<Duration>,
}

/// What went wrong while deciding.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The reason code of the deny that it caused.
    pub code: Cow<'static, str>,
    /// What happened, for operators.
    pub message: String,
    /// Where in the policy, where known.
    pub position: Option<SourcePosition>,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Allow or deny.
    pub effect: Effect,
    /// Why; a deny has at least one.
    pub reasons: Vec<Reason>,
    /// What must be done along with it.
    pub obligations: Vec<Obligation>,
    /// OAuth scopes that would be needed.
    pub required_scopes: Vec<String>,
    /// Stronger authentication that would be needed.
    pub step_up: Option<StepUp>,
    /// Free content for the enforcement point.
    pub context: Object,
    /// How long the answer may be reused.
    pub ttl: Option<Duration>,
    /// What went wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// What it was decided on.
    pub revision: Revision,
    /// The entry point that answered; `None` where the asked one does not exist.
    pub entry_point: Option<Arc<str>>,
    /// Why, if the question asked for it.
    pub explanation: Option<Box<Explanation>>,
    /// The document, if the question asked for one ([`super::Asks::Document`]) and it is defined.
    pub value: Option<Box<Value>>,
}

impl Reason {
    /// A reason with a code and an operator's message.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), ..Self::default() }
    }
}

impl Verdict {
    /// A deny for something that went wrong, with the same words as reason and as diagnostic.
    #[must_use]
    pub fn deny_for(code: &'static str, message: impl Into<String>, position: Option<SourcePosition>) -> Self {
        let message = message.into();
        let reason = Reason { position: position.clone(), ..Reason::new(code, message.clone()) };
        Self {
            reasons: vec![reason],
            diagnostics: vec![Diagnostic { code: code.into(), message, position }],
            ..Self::default()
        }
    }

    /// A deny of what the caller may not ask; it is nobody's decision.
    #[must_use]
    pub fn not_permitted() -> Self {
        Self { reasons: vec![Reason::new(code::PERMISSION_DENIED, "the caller may not ask this")], ..Self::default() }
    }

    /// Whether the action may be taken.
    #[must_use]
    pub fn is_allow(&self) -> bool {
        self.effect == Effect::Allow
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

impl fmt::Display for SourcePosition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not `sha256:` and 64 hexadecimal digits")]
pub struct InvalidDigest;

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64).ok_or(InvalidDigest)?;
        let mut digest = [0; 32];
        for (number, byte) in digest.iter_mut().enumerate() {
            let pair = digits.get(2 * number..2 * number + 2).ok_or(InvalidDigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidDigest)?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each verdict names one, so not digit by digit through the formatting machinery.
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let mut text = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (pair, byte) in text.iter_mut().skip(7).zip(self.0.iter().flat_map(|byte| [byte >> 4, byte & 15])) {
            *pair = digit(byte);
        }
        out.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest(std::array::from_fn(|n| u8::try_from(n * 7 % 256).unwrap()));
        let text = digest.to_string();
        assert!(text.starts_with("sha256:00070e15") && text.len() == 71, "{text}");
        assert_eq!(text.parse(), Ok(digest));
        for wrong in ["", "sha256:", "sha256:zz", &text[1..], &format!("{text}0"), &text.replace('7', "é")] {
            assert_eq!(wrong.parse::<Digest>(), Err(InvalidDigest), "{wrong}");
        }
    }
}
