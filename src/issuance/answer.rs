//! The answer: what a token may have, what was refused and why, and what was cut.

use std::time::Duration;

use super::request::texts;
use crate::decision::{Object, Reason, StepUp, Value, Verdict};

/// Reason codes of issuance, beside those of [`crate::decision::code`] and the policy's own. Documented in
/// `docs/issuance.md`.
pub mod code {
    /// A scope or an entry that the policy did not grant.
    pub const NOT_GRANTED: &str = "not_granted";
    /// The policy gave what was not asked for.
    pub const NOT_REQUESTED: &str = "not_requested";
    /// The client is not registered for it.
    pub const NOT_REGISTERED: &str = "not_registered";
    /// Over a ceiling of `issuance.agent_…`.
    pub const AGENT_CEILING: &str = "agent_ceiling";
    /// Over a ceiling of `issuance.workload_…`.
    pub const WORKLOAD_CEILING: &str = "workload_ceiling";
    /// Over `issuance.max_lifetime` or `issuance.max_refresh_lifetime`.
    pub const SERVER_CEILING: &str = "server_ceiling";
    /// A claim that is the authorization server's own.
    pub const RESERVED_CLAIM: &str = "reserved_claim";
    /// A claim whose name could be taken for a reserved one.
    pub const LOOKALIKE_CLAIM: &str = "lookalike_claim";
    /// The chain of actors is longer than `issuance.max_actor_depth`.
    pub const ACTOR_CHAIN: &str = "actor_chain_too_deep";
    /// Scopes were asked for, and none is left.
    pub const NO_SCOPE: &str = "no_scope_granted";
    /// Targets were named, and none is left.
    pub const NO_AUDIENCE: &str = "no_audience_granted";
    /// Details were asked for, and none is left.
    pub const NO_DETAILS: &str = "no_authorization_details_granted";
    /// The policy grants no time.
    pub const NO_LIFETIME: &str = "no_lifetime_granted";
    /// Both parties' decisions give a claim, with different values.
    pub const CLAIMS_CONFLICT: &str = "claims_conflict";
    /// A claim that the permit depends on was cut.
    pub const CRITICAL_CLAIM: &str = "critical_claim_cut";
    /// The policy wants a stronger or a newer authentication.
    pub const STEP_UP: &str = "step_up_required";
    /// The policy wants the subject's consent.
    pub const CONSENT: &str = "consent_required";
    /// The policy wants an approval.
    pub const APPROVAL: &str = "approval_required";
    /// The policy wants the token to be bound to a key.
    pub const SENDER_BINDING: &str = "sender_binding_required";
}

/// What was asked for and is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The scope.
    pub scope: String,
    /// Why: one of [`code`].
    pub code: &'static str,
    /// The policy's own words, or ours.
    pub message: String,
}

/// Where Verdict left out what the policy gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// `scope`, `audience`, `lifetime`, `authorization_details` or `claim`.
    pub what: &'static str,
    /// What was cut: the scope, the target, the seconds, the type of the entry, the claim's name.
    pub value: String,
    /// Why: one of [`code`].
    pub code: &'static str,
}

/// What an authorization server may issue. Of a deny, all that could be granted is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Whether a token may be issued.
    pub allow: bool,
    /// The scopes, in the request's order.
    pub scopes: Vec<String>,
    /// The scopes that were asked for and are not granted.
    pub refused: Vec<Refusal>,
    /// The targets, in the request's order.
    pub audience: Vec<String>,
    /// The longest life.
    pub lifetime: Duration,
    /// What is granted in detail.
    pub details: Vec<Object>,
    /// Claims to add.
    pub claims: Object,
    /// Of those, the ones without which the token must not be issued.
    pub critical: Vec<String>,
    /// The authentication that is wanted.
    pub step_up: Option<StepUp>,
    /// The scopes that the subject would have to consent to.
    pub consent: Vec<String>,
    /// The approval that is wanted, in the policy's words.
    pub approval: Option<Object>,
    /// To what the token would have to be bound: `dpop`, `mtls`, any of them.
    pub sender_binding: Vec<String>,
    /// The OAuth error to send; of an allow, none.
    pub error: Option<&'static str>,
    /// Where the policy's answer was cut.
    pub cuts: Vec<Cut>,
}

impl Answer {
    /// A deny with that error.
    pub(super) fn deny(error: &'static str) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// This answer, unless the verdict that came of it is a deny: then nothing is granted.
    #[must_use]
    pub fn under(self, verdict: &Verdict) -> Self {
        if self.allow && !verdict.is_allow() {
            return Self { refused: self.refused, cuts: self.cuts, ..Self::deny("server_error") };
        }
        self
    }

    /// As the member `issuance` of a verdict's context.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let mut members = Object::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        let list = |items: Vec<Object>| Value::Array(items.into_iter().map(Value::Object).collect());
        if self.allow {
            put("scopes", texts(&self.scopes));
            put("audience", texts(&self.audience));
            put("token_lifetime", seconds(self.lifetime));
            put("authorization_details", list(self.details.clone()));
            put("claims", Value::Object(self.claims.clone()));
            put("crit", texts(&self.critical));
        }
        if let Some(error) = self.error {
            put("error", error.into());
        }
        if !self.consent.is_empty() {
            put("consent", texts(&self.consent));
        }
        if let Some(approval) = &self.approval {
            put("approval", Value::Object(approval.clone()));
        }
        if !self.sender_binding.is_empty() {
            put("sender_binding", texts(&self.sender_binding));
        }
        let refused = self.refused.iter().map(|Refusal { scope, code, message }| {
            object([("scope", scope.as_str()), ("code", code), ("message", message)])
        });
        put("refused_scopes", list(refused.collect()));
        let cuts = self.cuts.iter();
        let cuts = cuts.map(|Cut { what, value, code }| object([("what", *what), ("value", value), ("code", code)]));
        put("cuts", list(cuts.collect()));
        members
    }
}

fn object<const N: usize>(members: [(&str, &str); N]) -> Object {
    members.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect()
}

pub(super) fn seconds(time: Duration) -> Value {
    Value::from(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// A reason of ours.
pub(super) fn reason(code: &str, message: impl Into<String>) -> Reason {
    Reason::new(code, message)
}
