//! Explanations to messages, and back for clients.

use super::proto;
use crate::decision::{ConditionTrace, Explanation, Need, RuleOutcome, RuleTrace, Seen, SourcePosition};

/// An explanation as a message.
pub(super) fn message(explanation: Explanation) -> proto::Explanation {
    let Explanation { rules, fired, missed, note } = explanation;
    proto::Explanation {
        rules: rules.into_iter().map(outcome).collect(),
        fired: fired.into_iter().map(trace).collect(),
        missed: missed.into_iter().map(trace).collect(),
        note,
    }
}

/// A message as an explanation.
pub(super) fn received(message: proto::Explanation) -> Explanation {
    let proto::Explanation { rules, fired, missed, note } = message;
    Explanation {
        rules: rules.into_iter().map(received_outcome).collect(),
        fired: fired.into_iter().map(received_trace).collect(),
        missed: missed.into_iter().map(received_trace).collect(),
        note,
    }
}

/// A place as a message.
pub(super) fn position(SourcePosition { file, line, column }: SourcePosition) -> proto::SourcePosition {
    proto::SourcePosition { file: file.to_string(), line, column }
}

/// A message as a place.
pub(super) fn received_position(message: proto::SourcePosition) -> SourcePosition {
    let proto::SourcePosition { file, line, column } = message;
    SourcePosition { file: file.into(), line, column }
}

fn outcome(RuleOutcome { rule, position: place, value }: RuleOutcome) -> proto::RuleOutcome {
    let (defined, value_json, error) = match value {
        Ok(Some(json)) => (true, json, String::new()),
        Ok(None) => (false, String::new(), String::new()),
        Err(error) => (false, String::new(), error),
    };
    proto::RuleOutcome { rule: rule.to_string(), position: place.map(position), defined, value_json, error }
}

fn received_outcome(message: proto::RuleOutcome) -> RuleOutcome {
    let proto::RuleOutcome { rule, position: place, defined, value_json, error } = message;
    let value = if error.is_empty() { Ok(defined.then_some(value_json)) } else { Err(error) };
    RuleOutcome { rule: rule.into(), position: place.map(received_position), value }
}

fn trace(trace: RuleTrace) -> proto::RuleTrace {
    let RuleTrace {
        rule,
        title,
        position: place,
        arguments,
        value,
        conditions,
        held,
        total,
        attempts,
        nearness,
        needed_by,
    } = trace;
    let need = |Need { rule, text, position: place }| proto::Need {
        rule: rule.to_string(),
        text,
        position: place.map(position),
    };
    proto::RuleTrace {
        rule: rule.to_string(),
        title,
        position: place.map(position),
        arguments: arguments.into_iter().map(seen).collect(),
        value: value.map(seen),
        conditions: conditions.into_iter().map(condition).collect(),
        held,
        total,
        attempts,
        nearness,
        needed_by: needed_by.into_iter().map(need).collect(),
    }
}

fn received_trace(message: proto::RuleTrace) -> RuleTrace {
    let proto::RuleTrace {
        rule,
        title,
        position: place,
        arguments,
        value,
        conditions,
        held,
        total,
        attempts,
        nearness,
        needed_by,
    } = message;
    let need = |proto::Need { rule, text, position: place }| Need {
        rule: rule.into(),
        text,
        position: place.map(received_position),
    };
    RuleTrace {
        rule: rule.into(),
        title,
        position: place.map(received_position),
        arguments: arguments.into_iter().map(received_seen).collect(),
        value: value.map(received_seen),
        conditions: conditions.into_iter().map(received_condition).collect(),
        held,
        total,
        attempts,
        nearness,
        needed_by: needed_by.into_iter().map(need).collect(),
    }
}

fn condition(condition: ConditionTrace) -> proto::ConditionTrace {
    let ConditionTrace { text, position: place, line, width, held, message, values } = condition;
    let values = values.into_iter().map(seen).collect();
    proto::ConditionTrace { text, position: place.map(position), line, width, held, message, values }
}

fn received_condition(message: proto::ConditionTrace) -> ConditionTrace {
    let proto::ConditionTrace { text, position: place, line, width, held, message, values } = message;
    let values = values.into_iter().map(received_seen).collect();
    ConditionTrace { text, position: place.map(received_position), line, width, held, message, values }
}

fn seen(Seen { expression, value }: Seen) -> proto::SeenValue {
    proto::SeenValue { expression, defined: value.is_some(), value_json: value.unwrap_or_default() }
}

fn received_seen(message: proto::SeenValue) -> Seen {
    let proto::SeenValue { expression, defined, value_json } = message;
    Seen { expression, value: defined.then_some(value_json) }
}
