//! Verdicts to messages.

use std::time::Duration;

use super::{
    explanation::{self as explain, position},
    proto::{self, Effect},
    wire,
};
use crate::{
    api::status::CallError,
    decision::{self, Diagnostic, Object, Obligation, Reason, StepUp, Verdict},
};

/// A verdict as a message.
pub(super) fn verdict(verdict: Verdict, decision_id: String, request_id: String) -> proto::Verdict {
    let Verdict {
        effect,
        reasons,
        obligations,
        required_scopes,
        step_up,
        context,
        ttl,
        diagnostics,
        revision,
        entry_point,
        explanation,
        // No question of this door asks for one.
        value: _,
    } = verdict;
    proto::Verdict {
        decision_id,
        request_id,
        effect: match effect {
            decision::Effect::Allow => Effect::Allow,
            decision::Effect::Deny => Effect::Deny,
        }
        .into(),
        reasons: reasons.into_iter().map(reason).collect(),
        obligations: obligations.into_iter().map(obligation).collect(),
        required_scopes,
        step_up: step_up
            .map(|StepUp { acr_values, max_age }| proto::StepUp { acr_values, max_age: max_age.map(duration) }),
        context: object(context),
        ttl: ttl.map(duration),
        diagnostics: diagnostics.into_iter().map(diagnostic).collect(),
        revision: Some(self::revision(revision)),
        entry_point: entry_point.map(|entry| entry.to_string()).unwrap_or_default(),
        explanation: explanation.map(|explanation| explain::message(*explanation)),
    }
}

/// A revision as a message.
pub(super) fn revision(revision: decision::Revision) -> proto::Revision {
    let decision::Revision { sequence, digest, bundles } = revision;
    proto::Revision { sequence, digest: digest.to_string(), bundles }
}

/// A call's error as a message, for streams.
pub(super) fn call_error(error: &CallError) -> proto::CallError {
    let (code, reason) = error.code();
    let field_violations = match error {
        CallError::InvalidQuery(violations) => violations
            .iter()
            .map(|violation| proto::FieldViolation {
                field: violation.field.clone(),
                description: violation.description.clone(),
            })
            .collect(),
        _ => Vec::new(),
    };
    proto::CallError { code: code.into(), reason: reason.to_owned(), message: error.to_string(), field_violations }
}

fn reason(Reason { code, message, user_message, rule, position: place, properties }: Reason) -> proto::Reason {
    let rule = rule.map(|rule| rule.to_string()).unwrap_or_default();
    proto::Reason { code, message, user_message, rule, position: place.map(position), properties: object(properties) }
}

/// An obligation as a message.
pub(super) fn obligation(Obligation { id, kind, properties }: Obligation) -> proto::Obligation {
    proto::Obligation { id, r#type: kind, properties: object(properties) }
}

fn diagnostic(Diagnostic { code, message, position: place }: Diagnostic) -> proto::Diagnostic {
    proto::Diagnostic { code: code.into_owned(), message, position: place.map(position) }
}

/// An object as a message; none if it is empty.
pub(super) fn object(object: Object) -> Option<wire::Object> {
    (!object.is_empty()).then(|| object.into())
}

pub(super) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}
