//! Messages to verdicts, for clients. What a server did not say is read as the deny that the contract makes of it.

use std::time::Duration;

use super::{
    explanation::{self as explain, received_position as position},
    proto::{self, Effect},
    wire,
};
use crate::decision::{self, Diagnostic, Object, Obligation, Reason, Revision, StepUp, Verdict};

/// A message as a verdict. Anything but `EFFECT_ALLOW` is a deny.
#[must_use]
pub fn verdict(message: proto::Verdict) -> Verdict {
    let proto::Verdict {
        decision_id: _,
        request_id: _,
        effect,
        reasons,
        obligations,
        required_scopes,
        step_up,
        context,
        ttl,
        diagnostics,
        revision,
        explanation,
        entry_point,
    } = message;
    let proto::Revision { sequence, digest, bundles } = revision.unwrap_or_default();
    Verdict {
        effect: match Effect::try_from(effect) {
            Ok(Effect::Allow) => decision::Effect::Allow,
            Ok(Effect::Deny | Effect::Unspecified) | Err(_) => decision::Effect::Deny,
        },
        reasons: reasons.into_iter().map(reason).collect(),
        obligations: obligations
            .into_iter()
            .map(|proto::Obligation { id, r#type, properties }| Obligation {
                id,
                kind: r#type,
                properties: object(properties),
            })
            .collect(),
        required_scopes,
        step_up: step_up
            .map(|proto::StepUp { acr_values, max_age }| StepUp { acr_values, max_age: max_age.map(duration) }),
        context: object(context),
        ttl: ttl.map(duration),
        diagnostics: diagnostics
            .into_iter()
            .map(|proto::Diagnostic { code, message, position: place }| Diagnostic {
                code: code.into(),
                message,
                position: place.map(position),
            })
            .collect(),
        revision: Revision { sequence, digest: digest.parse().unwrap_or_default(), bundles },
        entry_point: (!entry_point.is_empty()).then(|| entry_point.into()),
        explanation: explanation.map(|explanation| Box::new(explain::received(explanation))),
        value: None,
    }
}

fn reason(message: proto::Reason) -> Reason {
    let proto::Reason { code, message, user_message, rule, position: place, properties } = message;
    Reason {
        code,
        message,
        user_message,
        rule: (!rule.is_empty()).then(|| rule.into()),
        position: place.map(position),
        properties: object(properties),
    }
}

fn object(object: Option<wire::Object>) -> Object {
    object.map(|object| object.members).unwrap_or_default()
}

fn duration(message: prost_types::Duration) -> Duration {
    Duration::try_from(message).unwrap_or_default()
}
