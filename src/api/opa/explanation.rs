//! Verdict's own explanation in OPA's envelope: an array of events, or of lines where it is to be read by people.

use serde_json::{Value as Json, json};

use super::parameters::Explain;
use crate::decision::{ConditionTrace, Explanation, RuleOutcome, RuleTrace, Seen, SourcePosition, Verdict};

/// What an answer says in `explanation`.
pub(super) fn explained(verdict: &Verdict, explain: Explain, pretty: bool) -> Json {
    let Some(explanation) = &verdict.explanation else { return Json::Array(Vec::new()) };
    let Explanation { rules, fired, missed, note } = explanation.as_ref();
    let all = matches!(explain, Explain::Full | Explain::Debug);
    let mut events = Vec::new();
    if all {
        events.extend(rules.iter().map(|rule| outcome(rule, pretty)));
        events.extend(fired.iter().map(|trace| definition("exit", trace, pretty)));
    }
    if all || explain == Explain::Fails {
        events.extend(missed.iter().map(|trace| definition("fail", trace, pretty)));
    }
    if !note.is_empty() {
        events.push(if pretty { format!("note: {note}").into() } else { json!({ "op": "note", "message": note }) });
    }
    events.into()
}

fn outcome(RuleOutcome { rule, position, value }: &RuleOutcome, pretty: bool) -> Json {
    let told = match value {
        Ok(Some(value)) => value.clone(),
        Ok(None) => "undefined".to_owned(),
        Err(error) => format!("error: {error}"),
    };
    if pretty {
        return format!("{}Value {rule} = {told}", at(position.as_ref())).into();
    }
    json!({ "op": "value", "rule": &**rule, "value": told, "location": location(position.as_ref()) })
}

fn definition(op: &str, trace: &RuleTrace, pretty: bool) -> Json {
    let RuleTrace { rule, title, position, value, conditions, held, total, .. } = trace;
    if pretty {
        let word = if op == "exit" { "Exit" } else { "Fail" };
        let last = conditions.iter().rev().find(|condition| !condition.held);
        let why = last.map(|condition| format!(": {} ({})", condition.text, condition.message)).unwrap_or_default();
        return format!("{}{word} {rule} ({held} of {total} conditions held){why}", at(position.as_ref())).into();
    }
    json!({
        "op": op, "rule": &**rule, "title": title, "location": location(position.as_ref()),
        "value": value.as_ref().and_then(|seen| seen.value.clone()), "held": held, "total": total,
        "conditions": conditions.iter().map(condition).collect::<Vec<_>>(),
    })
}

fn condition(ConditionTrace { text, position, held, message, values, .. }: &ConditionTrace) -> Json {
    let locals = values.iter().map(|Seen { expression, value }| json!({ "key": expression, "value": value }));
    json!({
        "expression": text, "held": held, "message": message, "location": location(position.as_ref()),
        "locals": locals.collect::<Vec<_>>(),
    })
}

fn at(position: Option<&SourcePosition>) -> String {
    position.map(|place| format!("{}:{} ", place.file, place.line)).unwrap_or_default()
}

fn location(position: Option<&SourcePosition>) -> Json {
    position.map_or(Json::Null, |place| json!({ "file": &*place.file, "row": place.line, "col": place.column }))
}
