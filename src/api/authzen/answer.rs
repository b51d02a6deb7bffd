//! Verdicts to evaluation responses (§6.2): `decision`, and `context` where there is something to say.

use serde_json::{Map, Value as Json, json};

use crate::{
    api::json::{written, written_object},
    decision::{Obligation, Reason, StepUp, Verdict},
};

/// A verdict as an evaluation response.
pub(in crate::api) fn verdict(verdict: Verdict, decision_id: &str) -> Json {
    let decision = verdict.is_allow();
    // What went wrong is among the reasons, too; what it was decided on is said of the whole answer.
    let Verdict { reasons, obligations, required_scopes, step_up, context, ttl, .. } = verdict;
    let mut context = written_object(&context);
    for (name, said) in reason_fields(&reasons) {
        // The policy's own words for the same code go before.
        let own = context.remove(name);
        match own {
            Some(Json::Object(own)) => {
                context.insert(name.to_owned(), Json::Object(said.into_iter().chain(own).collect()))
            }
            _ => context.insert(name.to_owned(), Json::Object(said)),
        };
    }
    if !obligations.is_empty() {
        context.insert("obligations".to_owned(), self::obligations(&obligations));
    }
    if !required_scopes.is_empty() {
        context.insert("required_scopes".to_owned(), required_scopes.into());
    }
    if let Some(StepUp { acr_values, max_age }) = step_up {
        let mut members = Map::from_iter([("acr_values".to_owned(), acr_values.into())]);
        if let Some(age) = max_age {
            members.insert("max_age".to_owned(), age.as_secs().into());
        }
        context.insert("step_up".to_owned(), members.into());
    }
    if let Some(ttl) = ttl {
        context.insert("ttl".to_owned(), ttl.as_secs_f64().into());
    }
    if context.is_empty() {
        return json!({ "decision": decision });
    }
    context.insert("decision_id".to_owned(), decision_id.into());
    json!({ "decision": decision, "context": context })
}

/// Obligations as "AuthZEN Profile for Obligations" has them ("The Obligation Object").
pub(super) fn obligations(obligations: &[Obligation]) -> Json {
    let written = obligations.iter().map(|Obligation { id, kind, properties }| {
        let kind = if kind.is_empty() { "custom" } else { kind };
        json!({ "id": id, "type": kind, "properties": written_object(properties) })
    });
    written.collect()
}

/// `reason_admin` and `reason_user`: Reason Fields (§6.2.3), by the reasons' codes.
fn reason_fields(reasons: &[Reason]) -> impl Iterator<Item = (&'static str, Map<String, Json>)> {
    let (mut admin, mut user) = (Map::new(), Map::new());
    for Reason { code, message, user_message, rule: _, position: _, properties: _ } in reasons {
        say(&mut admin, code, if message.is_empty() { code } else { message });
        if !user_message.is_empty() {
            say(&mut user, code, user_message);
        }
    }
    [("reason_admin", admin), ("reason_user", user)].into_iter().filter(|(_, said)| !said.is_empty())
}

/// Adds to what is said for a code.
fn say(said: &mut Map<String, Json>, code: &str, words: &str) {
    let text = match said.get(code) {
        Some(Json::String(before)) if before != words => format!("{before}; {words}"),
        _ => words.to_owned(),
    };
    said.insert(code.to_owned(), text.into());
}

/// A found entity as an item of `results` (§8.4.2).
pub(super) fn found(members: [(&str, &str); 2], properties: &crate::decision::Object, owed: &[Obligation]) -> Json {
    let given = members.into_iter().filter(|(name, _)| !name.is_empty());
    let mut item: Map<String, Json> = given.map(|(name, text)| (name.to_owned(), text.into())).collect();
    if !properties.is_empty() {
        item.insert("properties".to_owned(), written(&crate::decision::Value::Object(properties.clone())));
    }
    if !owed.is_empty() {
        item.insert("obligations".to_owned(), obligations(owed));
    }
    item.into()
}

#[cfg(test)]
mod tests;
