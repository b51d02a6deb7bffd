//! Questions to messages. A question that would arrive as another one is not sent.

use serde_json::{Map, Value as Json, json};

use super::InvalidQuestion;
use crate::{
    api::{
        credentials::Credential,
        grpc::{
            proto::{self, BatchCheckItem, BatchCheckRequest, CheckRequest, ExplainMode},
            wire,
        },
        json::written_object,
    },
    decision::{Action, Asks, At, Freshness, Input, Number, Object, Query, Resource, Subject, Value},
    identity::Proof,
};

/// A question to a server.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Who asks for what. With a credential, its subject may be the default one: then the credential's is asked about.
    pub query: Query,
    /// What the subject showed, for the server to verify (`docs/identity.md`).
    pub credential: Option<Credential>,
    /// What it is to be decided on.
    pub at: At,
    /// The caller's own name for it, which the server's decision log keeps; at most 256 bytes.
    pub request_id: String,
}

impl Question {
    /// May this identity do that with this thing? Subject and resource are type and id.
    ///
    /// ```
    /// let question = verdict::client::Question::may(("user", "alice"), "read", ("document", "handbook"));
    /// assert_eq!(question.query.action.name, "read");
    /// ```
    #[must_use]
    pub fn may(subject: (&str, &str), action: &str, resource: (&str, &str)) -> Self {
        Self::from(Query {
            subject: Subject { kind: subject.0.into(), id: subject.1.into(), ..Subject::default() },
            action: Action { name: action.into(), ..Action::default() },
            resource: Resource { kind: resource.0.into(), id: resource.1.into(), ..Resource::default() },
            ..Query::default()
        })
    }

    /// May whoever has this bearer token do that with this thing?
    #[must_use]
    pub fn bearer(token: impl Into<String>, action: &str, resource: (&str, &str)) -> Self {
        let mut question = Self::may(("", ""), action, resource);
        question.credential = Some(Credential { token: token.into().into(), proof: Proof::default() });
        question
    }
}

impl From<Query> for Question {
    fn from(query: Query) -> Self {
        Self { query, ..Self::default() }
    }
}

/// The message that asks `question`.
pub(super) fn check(question: &Question) -> Result<CheckRequest, InvalidQuestion> {
    let Question { query, at, request_id: _, credential: _ } = question;
    let (at_least_as_fresh, at_revision) = revision(at)?;
    let BatchCheckItem { subject, action, resource, context, query_json, policy, request_id, credential } =
        item(question)?;
    Ok(CheckRequest {
        subject,
        action,
        resource,
        context,
        query_json,
        policy,
        request_id,
        explain: explain(query.explain),
        at_least_as_fresh,
        at_revision,
        credential,
    })
}

/// The message that asks all of them.
pub(super) fn batch(questions: &[Question]) -> Result<BatchCheckRequest, InvalidQuestion> {
    let first = questions.first().map_or(&At::Active, |question| &question.at);
    if questions.iter().any(|question| question.at != *first) {
        return Err(InvalidQuestion::Revisions);
    }
    let (at_least_as_fresh, at_revision) = revision(first)?;
    let items = questions.iter().map(item).collect::<Result<_, _>>()?;
    Ok(BatchCheckRequest {
        explain: explain(questions.iter().any(|question| question.query.explain)),
        items,
        at_least_as_fresh,
        at_revision,
        ..BatchCheckRequest::default()
    })
}

fn revision(at: &At) -> Result<(Option<proto::Freshness>, u64), InvalidQuestion> {
    match at {
        At::Active => Ok((None, 0)),
        // In a message, it would be the active one.
        At::Revision(0) => Err(InvalidQuestion::Revision),
        At::Revision(revision) => Ok((None, *revision)),
        At::Fresh(Freshness { sequence, bundles }) => {
            Ok((Some(proto::Freshness { sequence: *sequence, bundles: bundles.clone() }), 0))
        }
    }
}

fn explain(explain: bool) -> i32 {
    if explain { ExplainMode::On } else { ExplainMode::Off }.into()
}

fn item(question: &Question) -> Result<BatchCheckItem, InvalidQuestion> {
    let Question { query, at: _, request_id, credential } = question;
    let Query {
        subject,
        action,
        resource,
        context,
        policy,
        explain: _,
        token,
        input,
        asks,
        strict,
        time,
        good_for,
        caller,
    } = query;
    if token.is_some() {
        return Err(InvalidQuestion::Token);
    }
    // Who asks is the server's to say.
    if caller.is_some()
        || *input != Input::Parts
        || *asks != Asks::Verdict
        || *strict
        || time.is_some()
        || good_for.is_some()
    {
        return Err(InvalidQuestion::OtherDoor);
    }
    // Nobody in particular, beside a credential: whom the server is to take from it.
    let subject = (credential.is_none() || *subject != Subject::default()).then_some(subject);
    let policy = policy.as_ref().map(|policy| policy.as_str().to_owned()).unwrap_or_default();
    let rest = BatchCheckItem {
        policy,
        request_id: request_id.clone(),
        credential: credential.as_ref().map(shown),
        ..BatchCheckItem::default()
    };
    let objects = [&query.subject.properties, &action.properties, &resource.properties, context];
    if !are_exact(objects.iter().flat_map(|object| object.iter()).map(|(_, value)| value))? {
        return Ok(BatchCheckItem { query_json: json(subject, query).into_bytes(), ..rest });
    }
    let attributes = |object: &Object| (!object.is_empty()).then(|| wire::Object::from(object.clone()));
    Ok(BatchCheckItem {
        subject: subject.map(|subject| proto::Subject {
            r#type: subject.kind.clone(),
            id: subject.id.clone(),
            properties: attributes(&subject.properties),
        }),
        action: Some(proto::Action { name: action.name.clone(), properties: attributes(&action.properties) }),
        resource: Some(proto::Resource {
            r#type: resource.kind.clone(),
            id: resource.id.clone(),
            properties: attributes(&resource.properties),
        }),
        context: attributes(context),
        ..rest
    })
}

fn shown(Credential { token, proof: Proof { jkt, x5t_s256 } }: &Credential) -> proto::Credential {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let is_proven = jkt.is_some() || x5t_s256.is_some();
    let proof = is_proven.then(|| proto::Proof { jkt: text(jkt), x5t_s256: text(x5t_s256) });
    proto::Credential { token: token.expose().to_owned(), proof }
}

/// The question in JSON, which loses no digit.
fn json(subject: Option<&Subject>, query: &Query) -> String {
    let Query { action, resource, context, .. } = query;
    let entity =
        |kind: &str, id: &str, properties| json!({"type": kind, "id": id, "properties": written_object(properties)});
    let mut members = Map::new();
    if let Some(subject) = subject {
        members.insert("subject".to_owned(), entity(&subject.kind, &subject.id, &subject.properties));
    }
    let properties = written_object(&action.properties);
    members.insert("action".to_owned(), json!({"name": action.name, "properties": properties}));
    members.insert("resource".to_owned(), entity(&resource.kind, &resource.id, &resource.properties));
    members.insert("context".to_owned(), Json::Object(written_object(context)));
    Json::Object(members).to_string()
}

/// Whether a `Struct`, whose numbers are doubles, holds it.
fn is_exact(value: &Value) -> Result<bool, InvalidQuestion> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(true),
        Value::Number(number) if !is_number(number) => Err(InvalidQuestion::Number),
        Value::Number(number) => Ok(number.is_exact_f64()),
        Value::Array(items) => are_exact(items.iter()),
        Value::Object(members) => are_exact(members.iter().map(|(_, value)| value)),
    }
}

/// Whether it holds all of them; each is looked at.
fn are_exact<'v>(mut values: impl Iterator<Item = &'v Value>) -> Result<bool, InvalidQuestion> {
    values.try_fold(true, |exact, value| Ok(is_exact(value)? && exact))
}

/// Whether JSON has it.
fn is_number(number: &Number) -> bool {
    match number {
        Number::Int(_) | Number::UInt(_) => true,
        Number::Float(number) => number.is_finite(),
        Number::Decimal(digits) => digits.parse::<serde_json::Number>().is_ok(),
    }
}

#[cfg(test)]
mod tests;
