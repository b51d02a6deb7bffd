//! What is kept of a decision on the thread that made it: copies, bounded, not yet masked.

use std::time::{Duration, Instant, SystemTime};

use super::copy::Copier;
use crate::{
    call::{Peer, SpanName},
    decision::{Asks, EntryPoint, Input, Object, Query, SearchSummary, Searched, Value, Verdict},
};

/// A decision that is about to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The door where it was asked.
    pub door: &'static str,
    /// The answer's id.
    pub decision_id: &'a str,
    /// What the caller calls the question; may be empty.
    pub request_id: &'a str,
    /// What was asked; `None` for what was no question.
    pub query: Option<&'a Query>,
    /// What it came to, if it was a search. Of the verdict, only what it was decided on counts then.
    pub search: Option<SearchSummary>,
    /// How long deciding took.
    pub took: Duration,
    /// When it was decided.
    pub time: SystemTime,
    /// Who asked, as far as the connection says it.
    pub caller: Option<Peer>,
    /// Who asked, where that was proven.
    pub caller_id: Option<&'a str>,
    /// How long it took from the request's beginning until deciding began: reading, decoding, and what of the same
    /// request was decided before.
    pub before: Option<Duration>,
    /// The span that it belongs to.
    pub trace: Option<SpanName>,
}

/// What the policy had for `input`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputForm {
    /// Subject, action, resource and context, without a token's claims; empty properties and an empty context are left out.
    Question,
    /// A document, as it is.
    Document,
    /// Nothing.
    Undefined,
}

/// The copy of a decision. Not masked: it is not to be shown.
#[derive(Clone)]
pub struct Event {
    pub(super) door: &'static str,
    pub(super) decision_id: String,
    pub(super) request_id: String,
    pub(super) time: SystemTime,
    pub(super) took: Duration,
    pub(super) caller: Option<Peer>,
    pub(super) caller_id: Option<String>,
    pub(super) before: Option<Duration>,
    /// When it was decided, by the clock that only rises.
    pub(super) at: Instant,
    pub(super) trace: Option<SpanName>,
    pub(super) policy: Option<EntryPoint>,
    pub(super) asks: Asks,
    pub(super) strict: bool,
    /// `None` of what was no question.
    pub(super) form: Option<InputForm>,
    pub(super) search: Option<SearchSummary>,
    pub(super) input: Option<Value>,
    pub(super) token: Option<Value>,
    pub(super) verdict: Verdict,
    pub(super) truncated: Vec<String>,
    pub(super) size: usize,
}

/// What an event costs beyond what it copies.
const BASE: usize = 512;

impl Event {
    /// Copies at most about `limit` bytes of the question, and as much of the verdict.
    #[must_use]
    pub fn new(decision: &Decision<'_>, verdict: &Verdict, limit: usize) -> Self {
        let Decision { door, decision_id, request_id, query, search, took, time, caller, caller_id, before, trace } =
            *decision;
        let mut copier = Copier::new(limit);
        let request_id = copier.within("request_id", |copier| copier.text(request_id));
        let caller_id = caller_id.map(|id| copier.within("caller_id", |copier| copier.text(id)));
        let input = query.and_then(|query| copier.within("input", |copier| input(copier, query)));
        let input = match search {
            Some(search) => input.map(|input| without(input, search.searched)),
            None => input,
        };
        let claims = query.and_then(|query| query.token.as_ref());
        let token = claims.map(|claims| copier.within("token", |copier| whose(copier, claims)));
        let mut answer = Copier::new(limit);
        let verdict = answer.within("result", |answer| bounded(answer, verdict));
        let size = BASE + copier.used() + answer.used();
        let mut truncated = copier.truncated;
        truncated.append(&mut answer.truncated);
        Self {
            door,
            decision_id: decision_id.to_owned(),
            request_id,
            time,
            took,
            caller,
            caller_id,
            before,
            at: Instant::now(),
            trace,
            policy: query.and_then(|query| query.policy.clone()),
            asks: query.map_or(Asks::Verdict, |query| query.asks),
            strict: query.is_some_and(|query| query.strict),
            form: query.map(|query| match query.input {
                Input::Parts => InputForm::Question,
                Input::Document(_) => InputForm::Document,
                Input::Undefined => InputForm::Undefined,
            }),
            search,
            input,
            token,
            verdict,
            truncated,
            size,
        }
    }

    /// About how many bytes it holds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Whose token it was, of what was verified: enough to find it, and nothing to use it by.
fn whose<'v>(copier: &mut Copier<'v>, claims: &'v Object) -> Value {
    let mut kept = Object::new();
    let mut keep = |claims: &'v Object, name: &'static str| {
        if let Some(Value::String(text)) = claims.get(name) {
            kept.insert(name.to_owned(), Value::String(copier.text(text)));
        }
    };
    for name in ["iss", "sub", "client_id", "jti", "sid"] {
        keep(claims, name);
    }
    if let Some(Value::Object(verified)) = claims.get("verified") {
        for name in ["issuer", "kind"] {
            keep(verified, name);
        }
    }
    kept.into()
}

/// The policy's `input`.
fn input<'v>(copier: &mut Copier<'v>, query: &'v Query) -> Option<Value> {
    let Query { subject, action, resource, context, input, .. } = query;
    match input {
        Input::Document(document) => return Some(copier.value(document)),
        Input::Undefined => return None,
        Input::Parts => {}
    }
    let mut entity = |name: &'v str, members: &[(&'v str, &'v str)], properties: &'v Object| {
        let entity = copier.within(name, |copier| {
            let mut entity = Object::new();
            for (name, text) in members {
                let text = copier.within(name, |copier| copier.text(text));
                entity.insert((*name).to_owned(), text.as_str().into());
            }
            if !properties.is_empty() {
                let properties = copier.within("properties", |copier| copier.object(properties));
                entity.insert("properties".to_owned(), properties.into());
            }
            entity
        });
        (name.to_owned(), Value::Object(entity))
    };
    // Where a credential was to say whose the question is, and did not, there is no subject.
    let is_known = !subject.kind.is_empty() || !subject.id.is_empty();
    let subject = entity("subject", &[("type", &subject.kind), ("id", &subject.id)], &subject.properties);
    let action = entity("action", &[("name", &action.name)], &action.properties);
    let resource = entity("resource", &[("type", &resource.kind), ("id", &resource.id)], &resource.properties);
    let parts = [is_known.then_some(subject), Some(action), Some(resource)];
    let mut parts: Object = parts.into_iter().flatten().collect();
    if !context.is_empty() {
        let context = copier.within("context", |copier| copier.object(context));
        parts.insert("context".to_owned(), context.into());
    }
    Some(parts.into())
}

/// The input of a search, without what is not there: that is what it searches for.
fn without(mut input: Value, searched: Searched) -> Value {
    if let Value::Object(parts) = &mut input {
        match searched {
            Searched::Action => drop(parts.remove(searched.member())),
            Searched::Subject | Searched::Resource => {
                if let Some(Value::Object(part)) = parts.get_mut(searched.member()) {
                    part.remove("id");
                }
            }
        }
    }
    input
}

/// The verdict, as far as it fits.
fn bounded<'v>(copier: &mut Copier<'v>, verdict: &'v Verdict) -> Verdict {
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
        value,
    } = verdict;
    let value = value.as_ref().map(|value| Box::new(copier.value(value)));
    let context = copier.within("context", |copier| copier.object(context));
    let reasons = copier.within("reasons", |copier| {
        let copy = |reason: &'v crate::decision::Reason| crate::decision::Reason {
            code: copier.text(&reason.code),
            message: copier.text(&reason.message),
            user_message: copier.text(&reason.user_message),
            rule: reason.rule.clone(),
            position: reason.position.clone(),
            properties: copier.object(&reason.properties),
        };
        reasons.iter().map(copy).collect()
    });
    let obligations = copier.within("obligations", |copier| {
        let copy = |obligation: &'v crate::decision::Obligation| crate::decision::Obligation {
            id: copier.text(&obligation.id),
            kind: copier.text(&obligation.kind),
            properties: copier.object(&obligation.properties),
        };
        obligations.iter().map(copy).collect()
    });
    Verdict {
        effect: *effect,
        reasons,
        obligations,
        required_scopes: required_scopes.clone(),
        step_up: step_up.clone(),
        context,
        ttl: *ttl,
        diagnostics: diagnostics.clone(),
        revision: revision.clone(),
        entry_point: entry_point.clone(),
        explanation: explanation.clone(),
        value,
    }
}
