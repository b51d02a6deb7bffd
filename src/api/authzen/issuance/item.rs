//! The answer to each tuple. What shapes the token stands at the first gate of its name that is permitted; a tuple that
//! is denied shapes nothing ("Aggregation Across a Batch").

use serde_json::{Map, Value as Json};

use super::{
    answer,
    tuples::{Tuple, Tuples},
};
use crate::{
    api::{
        issuance::Issued,
        json::{written, written_object},
    },
    decision::{Effect, Object, Reason, Value, Verdict},
    issuance::{Answer, Refusal, code, covers},
};

/// Whether each tuple is permitted, and its evaluation response, in order.
pub(super) fn answers(tuples: &Tuples, issued: &[Issued]) -> Vec<(bool, Json)> {
    let mut shaped = vec![false; issued.len()];
    let permits: Vec<&Issued> = issued.iter().filter(|issued| issued.answer.allow).collect();
    let first = issued.first();
    let answer = |tuple: &Tuple| match tuple {
        Tuple::Gate { group, target } => {
            let Some(issued) = issued.get(*group) else { return (false, Json::default()) };
            // A gate that is denied says nothing: the next one that is permitted does.
            let granted = issued.answer.allow && issued.answer.audience.contains(target);
            let shapes = granted && shaped.get_mut(*group).is_some_and(|shaped| !std::mem::replace(shaped, true));
            gate(issued, target, shapes, tuples, &permits)
        }
        // A scope or a cell is of the whole token request: each token that may be issued must be allowed to have it.
        Tuple::Scope { scope, target } => {
            let has = |answer: &Answer| answer.scopes.contains(scope) && answer.audience.contains(target);
            let allowed = !permits.is_empty() && permits.iter().all(|issued| has(&issued.answer));
            let refusal = issued.iter().flat_map(|one| &one.answer.refused).find(|refusal| refusal.scope == *scope);
            plain(allowed, first, refusal)
        }
        Tuple::Cell(cell) => {
            let has = |answer: &Answer| answer.details.iter().any(|entry| covers(entry, cell));
            plain(!permits.is_empty() && permits.iter().all(|issued| has(&issued.answer)), first, None)
        }
        Tuple::Fault(_) => (false, Json::default()),
    };
    tuples.iter().map(answer).collect()
}

/// A scope or a cell.
fn plain(allowed: bool, issued: Option<&Issued>, refusal: Option<&Refusal>) -> (bool, Json) {
    let id = issued.map(|issued| issued.decision_id.as_str()).unwrap_or_default();
    if allowed {
        let verdict = Verdict { effect: Effect::Allow, ..Verdict::default() };
        return (true, answer::verdict(verdict, id));
    }
    let own = |Refusal { code, message, .. }: &Refusal| Reason::new(code, message.clone());
    let reason = refusal.map_or_else(|| Reason::new(code::NOT_GRANTED, "it is not granted"), own);
    (false, answer::verdict(Verdict { reasons: vec![reason], ..Verdict::default() }, id))
}

fn gate(issued: &Issued, target: &String, shapes: bool, tuples: &Tuples, permits: &[&Issued]) -> (bool, Json) {
    let Issued { decision_id, verdict, answer: told } = issued;
    let mut verdict = verdict.clone();
    verdict.context.remove("issuance");
    if !told.allow {
        let mut body = answer::verdict(verdict, decision_id);
        if let Some(context) = body.get_mut("context").and_then(Json::as_object_mut) {
            demands(told, context);
        }
        return (false, body);
    }
    if !told.audience.contains(target) {
        let reason = Reason::new(code::NOT_GRANTED, "this target is not granted");
        return (false, answer::verdict(Verdict { reasons: vec![reason], ..Verdict::default() }, decision_id));
    }
    if !shapes {
        // Said already.
        verdict.context = Object::new();
        return (true, answer::verdict(verdict, decision_id));
    }
    let mut body = answer::verdict(verdict, decision_id);
    if let Some(body) = body.as_object_mut() {
        let context = body.entry("context").or_insert_with(|| Json::Object(Map::new()));
        if let Some(context) = context.as_object_mut() {
            context.insert("decision_id".to_owned(), decision_id.as_str().into());
            context.insert("issuance".to_owned(), envelope(told, tuples, permits));
            cuts(told, context);
        }
    }
    (true, body)
}

/// What shapes the token ("The `issuance` Envelope").
fn envelope(answer: &Answer, tuples: &Tuples, permits: &[&Issued]) -> Json {
    let mut members = Map::new();
    members.insert("token_lifetime".to_owned(), answer.lifetime.as_secs().into());
    if !answer.claims.is_empty() {
        members.insert("claims".to_owned(), Json::Object(written_object(&answer.claims)));
    }
    if !answer.critical.is_empty() {
        members.insert("crit".to_owned(), answer.critical.iter().map(String::as_str).collect());
    }
    if !tuples.has_scopes() {
        // Without it, the authorization server would fall back on its defaults.
        members.insert("granted_scope".to_owned(), answer.scopes.join(" ").into());
    }
    // What the cells say by themselves is not repeated.
    let said = |entry: &Object| tuples.iter().any(|tuple| matches!(tuple, Tuple::Cell(cell) if cell == entry));
    // Nor what another token of the batch may not have: cells are of the whole request, as above.
    let others = |entry: &Object| permits.iter().all(|one| one.answer.details.iter().any(|its| covers(its, entry)));
    if !answer.details.iter().all(|entry| said(entry) && others(entry)) {
        let entries = answer.details.iter().filter(|entry| others(entry));
        let entries = entries.map(|entry| written(&Value::Object(entry.clone())));
        members.insert("authorization_details".to_owned(), entries.collect());
    }
    Json::Object(members)
}

/// What would have to be there, for the authorization server; none of it is for the client but the error.
fn demands(answer: &Answer, context: &mut Map<String, Json>) {
    if let Some(error) = answer.error {
        context.insert("oauth_error".to_owned(), error.into());
    }
    for (name, texts) in [("consent_scopes", &answer.consent), ("sender_binding", &answer.sender_binding)] {
        if !texts.is_empty() {
            context.insert(name.to_owned(), texts.iter().map(String::as_str).collect());
        }
    }
    if let Some(approval) = &answer.approval {
        context.insert("approval".to_owned(), Json::Object(written_object(approval)));
    }
    cuts(answer, context);
}

fn cuts(answer: &Answer, context: &mut Map<String, Json>) {
    let Some(Value::Array(cuts)) = answer.to_object().remove("cuts") else { return };
    if !cuts.is_empty() {
        context.insert("issuance_cuts".to_owned(), written(&Value::Array(cuts)));
    }
}
