//! The decision contract: a rule's value to a verdict (design, *What a policy answers*).

use std::time::Duration;

use regorus::Value as Rego;

use super::value;
use crate::decision::{Effect, Number, Object, Obligation, Reason, StepUp, Value, Verdict, code};

/// The greatest number of seconds that a protobuf `Duration` holds.
const MAX_SECONDS: f64 = 315_576_000_000.0;

/// What is wrong with a value that should be a decision.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidDecision(pub(super) String);

type Valid<T> = Result<T, InvalidDecision>;

/// The members that an object may have beside its effect, each also a rule's name in a package without `decision`.
pub(super) const MEMBERS: [&str; 6] = ["reasons", "obligations", "required_scopes", "step_up", "context", "ttl"];

/// The members that say whether an object allows.
const EFFECTS: [&str; 3] = ["allow", "allowed", "decision"];

/// The verdict that a rule's value means. Undefined means that there is no decision.
pub(super) fn verdict(value: &Rego) -> Valid<Verdict> {
    match value {
        Rego::Undefined => Ok(no_decision("the rule has no value for this question")),
        Rego::Bool(allow) => Ok(Verdict { effect: effect(*allow), ..Verdict::default() }),
        Rego::Object(members) => object_verdict(members),
        other => Err(InvalidDecision(format!("the rule's value is {}, not a boolean or an object", kind(other)))),
    }
}

/// The verdict that an object means. Its members are gone through once: to look each name up makes a value of it.
fn object_verdict(members: &regorus::value::Object) -> Valid<Verdict> {
    let mut allows = [None; 3];
    let mut found = [None; MEMBERS.len()];
    for (name, value) in members.iter() {
        let Rego::String(name) = name else { continue };
        let name = name.as_ref();
        if let Some((_, slot)) = EFFECTS.iter().zip(&mut allows).find(|(effect, _)| **effect == name) {
            *slot = Some(value);
        } else if let Some((_, slot)) = MEMBERS.iter().zip(&mut found).find(|(member, _)| **member == name) {
            *slot = Some(value);
        } else if name == "deny" && *value != Rego::Bool(false) {
            // The rule `deny` is heard beside `allow`, so somebody may expect the same of a member.
            return Err(InvalidDecision(
                "`deny` is no member of a decision; say it with `allow` and `reasons`".to_owned(),
            ));
        }
    }
    let mut allow = None;
    for (name, value) in EFFECTS.iter().zip(allows) {
        match value {
            None => {}
            Some(Rego::Bool(this)) if allow.is_none_or(|other| other == *this) => allow = Some(*this),
            Some(Rego::Bool(_)) => return Err(InvalidDecision(format!("`{name}` contradicts another member"))),
            Some(other) => return Err(wrong(name, "a boolean", other)),
        }
    }
    let allow = allow.ok_or_else(|| InvalidDecision("the object has no `allow`".to_owned()))?;
    let mut verdict = Verdict { effect: effect(allow), ..Verdict::default() };
    for (name, value) in MEMBERS.iter().zip(found) {
        if let Some(value) = value {
            member(&mut verdict, name, value)?;
        }
    }
    Ok(verdict)
}

/// The deny for what has no value.
pub(super) fn no_decision(message: impl Into<String>) -> Verdict {
    Verdict::deny_for(code::NO_DECISION, message, None)
}

/// Adds one of [`MEMBERS`] to a verdict; undefined adds nothing.
pub(super) fn member(verdict: &mut Verdict, name: &str, value: &Rego) -> Valid<()> {
    if matches!(value, Rego::Undefined) {
        return Ok(());
    }
    match name {
        "reasons" => verdict.reasons.extend(reasons(name, value)?),
        "obligations" => {
            verdict.obligations = items(name, value)?.into_iter().map(obligation).collect::<Valid<_>>()?;
        }
        "required_scopes" => verdict.required_scopes = strings(name, value)?,
        "step_up" => verdict.step_up = Some(step_up(value)?),
        "context" => verdict.context = object(name, value)?,
        "ttl" => verdict.ttl = Some(seconds(name, value)?),
        _ => return Err(InvalidDecision(format!("`{name}` is no member of a decision"))),
    }
    Ok(())
}

/// The reasons in an array or set of strings or objects.
pub(super) fn reasons(name: &str, value: &Rego) -> Valid<Vec<Reason>> {
    items(name, value)?.into_iter().map(|item| reason(name, item)).collect()
}

/// What makes a deny of the rule `deny`: its reasons, if it denies.
pub(super) fn deny(value: &Rego) -> Valid<Option<Vec<Reason>>> {
    match value {
        Rego::Undefined | Rego::Bool(false) => Ok(None),
        Rego::Bool(true) => Ok(Some(Vec::new())),
        other => reasons("deny", other).map(|reasons| (!reasons.is_empty()).then_some(reasons)),
    }
}

/// The boolean of the rule `allow`; `None` where it is undefined.
pub(super) fn allow(value: &Rego) -> Valid<Option<bool>> {
    match value {
        Rego::Undefined => Ok(None),
        Rego::Bool(allow) => Ok(Some(*allow)),
        other => Err(wrong("allow", "a boolean", other)),
    }
}

fn effect(allow: bool) -> Effect {
    if allow { Effect::Allow } else { Effect::Deny }
}

fn reason(name: &str, item: &Rego) -> Valid<Reason> {
    match item {
        // OPA's habit is a set of sentences; a code is one word.
        Rego::String(text) if is_code(text) => Ok(Reason::new(text, "")),
        Rego::String(text) => Ok(Reason::new(code::POLICY_DENIED, text.as_ref())),
        Rego::Object(members) => {
            let mut reason = Reason::default();
            let mut others = false;
            for (member, value) in members.iter() {
                let Rego::String(member) = member else {
                    others = true;
                    continue;
                };
                let part = match member.as_ref() {
                    "code" => &mut reason.code,
                    "message" => &mut reason.message,
                    "user_message" => &mut reason.user_message,
                    _ => {
                        others = true;
                        continue;
                    }
                };
                let Rego::String(text) = value else {
                    return Err(InvalidDecision(format!("`{member}` of an item of `{name}` is not a string")));
                };
                text.as_ref().clone_into(part);
            }
            if reason.code.is_empty() {
                code::POLICY_DENIED.clone_into(&mut reason.code);
            }
            if others {
                reason.properties = object(name, item)?;
                for own in ["code", "message", "user_message"] {
                    reason.properties.remove(own);
                }
            }
            Ok(reason)
        }
        other => Err(InvalidDecision(format!("an item of `{name}` is {}, not a string or an object", kind(other)))),
    }
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte))
}

fn obligation(item: &Rego) -> Valid<Obligation> {
    let mut members = object("obligations", item)?;
    let mut text = |member: &str| match members.remove(member) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(InvalidDecision(format!("`{member}` of an obligation is not a string"))),
    };
    let (id, kind) = (text("id")?, text("type")?);
    let properties = match members.remove("properties") {
        None => Object::new(),
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err(InvalidDecision("`properties` of an obligation is not an object".to_owned())),
    };
    if id.is_empty() && kind.is_empty() {
        return Err(InvalidDecision("an obligation has neither `id` nor `type`".to_owned()));
    }
    // Part of an obligation that nobody reads is an obligation that nobody honours.
    if let Some((unknown, _)) = members.iter().next() {
        return Err(InvalidDecision(format!(
            "`{unknown}` is no member of an obligation; parameters go under `properties`"
        )));
    }
    Ok(Obligation { id, kind, properties })
}

fn step_up(value: &Rego) -> Valid<StepUp> {
    let Rego::Object(members) = value else { return Err(wrong("step_up", "an object", value)) };
    let member = |name: &str| members.get(&Rego::from(name));
    let acr_values = member("acr_values").map_or(Ok(Vec::new()), |value| strings("step_up.acr_values", value))?;
    let max_age = member("max_age").map(|value| seconds("step_up.max_age", value)).transpose()?;
    Ok(StepUp { acr_values, max_age })
}

fn items<'a>(name: &str, value: &'a Rego) -> Valid<Vec<&'a Rego>> {
    match value {
        Rego::Array(items) => Ok(items.iter().collect()),
        Rego::Set(items) => Ok(items.iter_sorted().collect()),
        other => Err(wrong(name, "an array or a set", other)),
    }
}

fn strings(name: &str, value: &Rego) -> Valid<Vec<String>> {
    let string = |item: &Rego| match item {
        Rego::String(text) => Ok(text.to_string()),
        other => Err(InvalidDecision(format!("an item of `{name}` is {}, not a string", kind(other)))),
    };
    items(name, value)?.into_iter().map(string).collect()
}

fn object(name: &str, value: &Rego) -> Valid<Object> {
    if !matches!(value, Rego::Object(_)) {
        return Err(wrong(name, "an object", value));
    }
    value::to_object(value).ok_or_else(|| InvalidDecision(format!("`{name}` nests too deep")))
}

fn seconds(name: &str, value: &Rego) -> Valid<Duration> {
    let number = match value::to_value(value) {
        Some(Value::Number(number @ (Number::Int(_) | Number::UInt(_) | Number::Float(_)))) => number.to_f64(),
        Some(Value::Number(Number::Decimal(_))) => f64::INFINITY,
        _ => return Err(wrong(name, "a number of seconds", value)),
    };
    if !(0.0..=MAX_SECONDS).contains(&number) {
        return Err(InvalidDecision(format!("`{name}` is no number of seconds from 0 on: {number}")));
    }
    Duration::try_from_secs_f64(number).map_err(|error| InvalidDecision(format!("`{name}`: {error}")))
}

fn wrong(name: &str, wanted: &str, value: &Rego) -> InvalidDecision {
    InvalidDecision(format!("`{name}` is {}, not {wanted}", kind(value)))
}

fn kind(value: &Rego) -> &'static str {
    match value {
        Rego::Null => "null",
        Rego::Bool(_) => "a boolean",
        Rego::Number(_) => "a number",
        Rego::String(_) => "a string",
        Rego::Array(_) => "an array",
        Rego::Set(_) => "a set",
        Rego::Object(_) => "an object",
        Rego::Undefined => "undefined",
    }
}
