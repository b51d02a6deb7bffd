//! Why a token is not believed.

use crate::decision::credential_code as code;

/// Why a token is not believed. No variant has any part of the token, so that each may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Invalid {
    /// A credential was given where no issuer is configured.
    #[error("no issuer of credentials is configured; add one under `identity.issuers`")]
    NotConfigured,
    /// It is no signed token in compact form, or one that two readers could understand differently.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// No configured issuer has its `iss`, or its SPIFFE trust domain.
    #[error("the token's issuer is none that is configured")]
    IssuerUnknown,
    /// The issuer is not configured to use its `alg`.
    #[error("the token's algorithm is none that is configured for its issuer")]
    AlgorithmRefused,
    /// Its `typ` is none that the issuer is configured to use.
    #[error("the token's type is none that is configured for its issuer")]
    TypeRefused,
    /// The issuer has no key for it.
    #[error("the issuer has no key of the token's id and algorithm")]
    KeyUnknown,
    /// The issuer's keys are not to be had.
    #[error("the keys of the token's issuer can't be had")]
    KeysUnavailable,
    /// The signature is not one of the issuer's keys.
    #[error("the token's signature is not valid")]
    SignatureInvalid,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    AudienceMismatch,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was issued longer ago than configured.
    #[error("the token is older than is configured for its issuer")]
    TooOld,
    /// It is valid for longer than configured.
    #[error("the token's lifetime is longer than is configured for its issuer")]
    LifetimeExceeded,
    /// It lacks a claim that it must have.
    #[error("the token lacks a claim that is required of it")]
    ClaimMissing,
    /// It was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// Its issuer says that it is not active.
    #[error("the token is not active, its issuer says")]
    Inactive,
    /// Its issuer can't be asked about it.
    #[error("the token's issuer can't be asked about it")]
    IntrospectionUnavailable,
    /// The proof of possession is missing, or of another key than the token is bound to.
    #[error("the proof of possession is not of the key that the token is bound to")]
    ProofMismatch,
    /// The subject beside the token is another than the token's.
    #[error("the subject is another than the token's")]
    SubjectMismatch,
}

impl Invalid {
    /// The reason code of a deny for it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotConfigured => code::CREDENTIALS_NOT_CONFIGURED,
            Self::Malformed(_) => code::TOKEN_MALFORMED,
            Self::IssuerUnknown => code::ISSUER_UNKNOWN,
            Self::AlgorithmRefused => code::ALGORITHM_REFUSED,
            Self::TypeRefused => code::TOKEN_TYPE_REFUSED,
            Self::KeyUnknown => code::KEY_UNKNOWN,
            Self::KeysUnavailable => code::KEYS_UNAVAILABLE,
            Self::SignatureInvalid => code::SIGNATURE_INVALID,
            Self::AudienceMismatch => code::AUDIENCE_MISMATCH,
            Self::Expired => code::TOKEN_EXPIRED,
            Self::NotYetValid => code::TOKEN_NOT_YET_VALID,
            Self::TooOld => code::TOKEN_TOO_OLD,
            Self::LifetimeExceeded => code::TOKEN_LIFETIME_EXCEEDED,
            Self::ClaimMissing => code::CLAIM_MISSING,
            Self::Revoked => code::TOKEN_REVOKED,
            Self::Inactive => code::TOKEN_INACTIVE,
            Self::IntrospectionUnavailable => code::INTROSPECTION_UNAVAILABLE,
            Self::ProofMismatch => code::PROOF_MISMATCH,
            Self::SubjectMismatch => code::SUBJECT_MISMATCH,
        }
    }

    /// Whether it says nothing of the token: what is needed to tell can't be had.
    #[must_use]
    pub fn is_outage(self) -> bool {
        matches!(self, Self::NotConfigured | Self::KeysUnavailable | Self::IntrospectionUnavailable)
    }
}
