//! Token issuance over AuthZEN ("AuthZEN Profile for OAuth 2.0 Token Issuance", Draft 1, and its binding for token
//! exchange): the tuples of a batch are one question of issuance, and each gets its part of the answer.

mod context;
mod item;
mod tuples;

use serde_json::json;

use self::tuples::{Group, Tuples};
use super::{Answer, Call, Door, Semantic, answer, denied, evaluations};
use crate::{
    api::{
        issuance::Issued,
        json,
        settle::DoorName,
        status::{CallError, FieldViolation},
    },
    decision::{Object, Query, Value},
    issuance::gate_name,
};

/// What the profile calls itself ("AuthZEN Policy Decision Point Capabilities Registry").
pub(super) const CAPABILITY: &str = "urn:openid:authzen:capability:token-issuance";

/// The type of resource of gates, and in the draft's first versions of scopes.
const AUDIENCE: &str = "audience";
/// The type of resource of scopes.
const PROTECTED_RESOURCE: &str = "protected_resource";

/// Whether a question is a gate: may a token of this kind be issued for this target?
pub(super) fn is_gate(query: &Query) -> bool {
    query.resource.kind == AUDIENCE && gate_name(&query.action.name).is_some()
}

/// Whether a batch could have a gate in it; cheap, since every batch is looked at.
pub(super) fn may_have_gates(items: &[Value], defaults: &Object) -> bool {
    let names_gate = |members: &Object| {
        let Some(Value::Object(action)) = members.get("action") else { return false };
        matches!(action.get("name"), Some(Value::String(name)) if name.starts_with("issue:"))
    };
    let item = |item: &Value| matches!(item, Value::Object(members) if names_gate(members));
    names_gate(defaults) || items.iter().any(item)
}

impl Door {
    /// Answers a single gate: no scope is asked for, so none is granted.
    pub(super) async fn gate(&self, query: Query, call: &Call) -> Result<Answer, CallError> {
        let tuples = Tuples::read(vec![Ok(query)]).map_err(CallError::InvalidQuery)?;
        let issued = self.issue(&tuples, call).await?;
        let revision = issued.first().map(|issued| issued.verdict.revision.clone()).unwrap_or_default();
        let decision_id = issued.first().map(|issued| issued.decision_id.clone());
        let body = item::answers(&tuples, &issued).pop().map(|(_, body)| body).unwrap_or_default();
        Ok(Answer { body, revision, decision_id })
    }

    /// Answers a batch, if it has a gate in it; gives the batch back if not.
    pub(super) async fn issuance(
        &self,
        items: Vec<Value>,
        defaults: &Object,
        semantic: Semantic,
        call: &Call,
    ) -> Result<Result<Answer, Vec<Value>>, CallError> {
        let query = |item: &Value| match item {
            Value::Object(own) => {
                json::query_of(evaluations::over(own.clone(), defaults)).map_err(CallError::InvalidQuery)
            }
            _ => {
                Err(CallError::InvalidQuery(vec![FieldViolation::new("evaluations", "has an item that is no object")]))
            }
        };
        let queries: Vec<_> = items.iter().map(query).collect();
        if !queries.iter().any(|query| query.as_ref().is_ok_and(is_gate)) {
            return Ok(Err(items));
        }
        let tuples = Tuples::read(queries).map_err(CallError::InvalidQuery)?;
        let issued = self.issue(&tuples, call).await?;
        let revision = issued.first().map(|issued| issued.verdict.revision.clone()).unwrap_or_default();
        let mut bodies = Vec::new();
        for (number, (allowed, body)) in item::answers(&tuples, &issued).into_iter().enumerate() {
            let body = match tuples.fault(number) {
                // What is no question is denied, and recorded as such, by itself.
                Some(error) => {
                    let id = (self.ids)();
                    let verdict = denied(error, revision.clone());
                    let settled = self.settle((None, verdict), std::time::Instant::now(), (&id, &call.request_id));
                    answer::verdict(settled.verdict().await, &id)
                }
                None => body,
            };
            bodies.push(body);
            if semantic.stops(allowed) {
                break;
            }
        }
        Ok(Ok(Answer { body: json!({ "evaluations": bodies }), revision, decision_id: None }))
    }

    /// Decides each group of tuples that share the name of a gate, all on one snapshot.
    async fn issue(&self, tuples: &Tuples, call: &Call) -> Result<Vec<Issued>, CallError> {
        self.may_wait(&Query { policy: Some(self.issuer.policy().clone()), ..Query::default() }, call)?;
        let snapshot = self.pin(call).await?;
        let mut issued = Vec::new();
        for Group { request, .. } in tuples.groups() {
            issued.push(
                self.issuer
                    .authorize(&snapshot, DoorName::AUTHZEN, request, &call.request_id, call.deadline.left()?)
                    .await?,
            );
        }
        if issued.is_empty() {
            return Err(CallError::InvalidQuery(vec![FieldViolation::new("evaluations", "has no gate")]));
        }
        Ok(issued)
    }
}
