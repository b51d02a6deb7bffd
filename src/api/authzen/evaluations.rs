//! Many evaluations in one request (§7), on one snapshot.

use std::time::{Duration, Instant};

use axum::extract::Request;
use futures::future;
use serde_json::json;

use super::{Answer, Door, answer, denied, issuance, request};
use crate::{
    api::{
        credentials::{Credential, Refused},
        json,
        settle::Settled,
        status::{CallError, FieldViolation},
    },
    decision::{Object, Pinned, Query, Value, Verdict},
};

/// How long a batch may keep its thread before it lets other requests go on.
const TURN: Duration = Duration::from_micros(500);

/// When to stop (§7.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    /// Whether nothing is decided after a decision.
    pub(super) fn stops(self, allowed: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !allowed,
            Self::PermitOnFirstPermit => allowed,
        }
    }
}

impl Door {
    pub(super) async fn evaluations(&self, request: Request) -> Result<Answer, CallError> {
        let call = self.call(request.headers())?;
        let mut object = request::object(request, self.config.max_body_bytes, call.deadline).await?;
        let invalid = |field: &str, fault: String| CallError::InvalidQuery(vec![FieldViolation::new(field, fault)]);
        let semantic = semantic(object.remove("options"))?;
        let items = match object.remove("evaluations") {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(invalid("evaluations", "is not an array".to_owned())),
        };
        if items.is_empty() {
            // "behaves in a backwards-compatible manner with the (single) Access Evaluation API Request" (§7.1)
            return self.single(object, &call).await;
        }
        let most = self.max_items;
        if items.len() > most {
            let fault = format!("has {} items, and may have {most} (`grpc.max_batch_items`)", items.len());
            return Err(invalid("evaluations", fault));
        }
        let credential = self.config.credential_at.take(&mut object);
        let credential = credential.map_err(|violation| CallError::InvalidQuery(vec![violation]))?;
        let violations = json::violations_of_defaults(object.clone());
        if !violations.is_empty() {
            return Err(CallError::InvalidQuery(violations));
        }
        let items = if issuance::may_have_gates(&items, &object) {
            // A question for a token takes none, and one that came unasked must not reach a policy.
            let mut items_too = items.iter().filter_map(|item| match item {
                Value::Object(own) => Some(own.clone()),
                _ => None,
            });
            let at = &self.config.credential_at;
            if credential.is_some() || items_too.any(|mut own| !matches!(at.take(&mut own), Ok(None))) {
                return Err(invalid(
                    &at.to_string(),
                    "is given with a question for a token, which takes none".to_owned(),
                ));
            }
            match self.issuance(items, &object, semantic, &call).await? {
                Ok(answer) => return Ok(answer),
                Err(items) => items,
            }
        } else {
            items
        };
        // All of them are asked at the same entry point.
        self.may_wait(&Query::default(), &call)?;
        // One snapshot for all, however long it takes.
        let snapshot = self.pin(&call).await?;
        let mut answers = Vec::with_capacity(items.len());
        let mut turn = Instant::now();
        for item in items {
            if turn.elapsed() > TURN {
                tokio::task::yield_now().await;
                turn = Instant::now();
            }
            let asked = (item, &object, credential.as_ref());
            let (allowed, item) = self.item(asked, &snapshot, call.deadline.left()?, &call.request_id).await?;
            answers.push(item);
            if semantic.stops(allowed) {
                break;
            }
        }
        let answers = answers
            .into_iter()
            .map(|(id, settled): (String, Settled)| async move { answer::verdict(settled.verdict().await, &id) });
        let answers = future::join_all(answers).await;
        let revision = snapshot.revision().clone();
        Ok(Answer { body: json!({ "evaluations": answers }), revision, decision_id: None })
    }

    /// Decides one item; what is wrong with it is its own deny (§7.2.1). Gives whether it is allowed, its id, and the
    /// verdict that is recorded meanwhile.
    async fn item(
        &self,
        (item, defaults, credential): (Value, &Object, Option<&Credential>),
        on: &Pinned<'_>,
        left: Duration,
        request_id: &str,
    ) -> Result<(bool, (String, Settled)), CallError> {
        let started = Instant::now();
        let asked = match item {
            Value::Object(mut own) => {
                let taken = self.config.credential_at.take(&mut own);
                let taken = taken.map_err(|violation| CallError::InvalidQuery(vec![violation]));
                taken.and_then(|taken| self.asked(over(own, defaults), taken.or_else(|| credential.cloned())))
            }
            _ => {
                Err(CallError::InvalidQuery(vec![FieldViolation::new("evaluations", "has an item that is no object")]))
            }
        };
        let (query, verdict) = match asked {
            Err(error) => (None, denied(&error, on.revision().clone())),
            Ok(asked) => {
                match asked.admit(&*self.credentials, |query: &Query| self.decider.passes(query), left).await? {
                    Ok(query) => {
                        let verdict = on.decide(&query, left.saturating_sub(started.elapsed())).await;
                        (Some(query), verdict)
                    }
                    Err(refused) => {
                        let Refused { query, verdict } = *refused;
                        (Some(query), Verdict { revision: on.revision().clone(), ..verdict })
                    }
                }
            }
        };
        let (allowed, id) = (verdict.is_allow(), (self.ids)());
        let settled = self.settle((query.as_ref(), verdict), started, (&id, request_id));
        Ok((allowed, (id, settled)))
    }
}

/// The semantic in the request's `options`; other options are for others.
fn semantic(options: Option<Value>) -> Result<Semantic, CallError> {
    let invalid = |field: &str, fault: &str| Err(CallError::InvalidQuery(vec![FieldViolation::new(field, fault)]));
    let mut options = match options {
        None => return Ok(Semantic::ExecuteAll),
        Some(Value::Object(options)) => options,
        Some(_) => return invalid("options", "is not an object"),
    };
    let field = "options.evaluations_semantic";
    match options.remove("evaluations_semantic") {
        None => Ok(Semantic::ExecuteAll),
        Some(Value::String(name)) => match name.as_str() {
            "execute_all" => Ok(Semantic::ExecuteAll),
            "deny_on_first_deny" => Ok(Semantic::DenyOnFirstDeny),
            "permit_on_first_permit" => Ok(Semantic::PermitOnFirstPermit),
            _ => invalid(field, "is none of `execute_all`, `deny_on_first_deny` and `permit_on_first_permit`"),
        },
        Some(_) => invalid(field, "is not a string"),
    }
}

/// An item over the defaults (§7.1.1): what it gives replaces a default whole, properties too. Only what identifies an
/// entity, and is absent from it, is taken from the default of the same name (certification scenario, "Batch with
/// default value merging").
pub(super) fn over(mut own: Object, defaults: &Object) -> Object {
    let mut asked = Object::new();
    for (name, identity) in json::ENTITIES {
        let default = defaults.get(name);
        match own.remove(name) {
            None => {
                if let Some(default) = default {
                    asked.insert(name.to_owned(), default.clone());
                }
            }
            Some(Value::Object(mut entity)) => {
                if let Some(Value::Object(default)) = default {
                    for member in identity {
                        if let (None, Some(value)) = (entity.get(member), default.get(member)) {
                            entity.insert((*member).to_owned(), value.clone());
                        }
                    }
                }
                asked.insert(name.to_owned(), Value::Object(entity));
            }
            Some(other) => asked.insert(name.to_owned(), other),
        }
    }
    if let Some(context) = own.remove("context").or_else(|| defaults.get("context").cloned()) {
        asked.insert("context".to_owned(), context);
    }
    asked
}
