//! Questions to messages. A question that would arrive as another one is not sent.

use super::InvalidQuestion;
use crate::{
    api::grpc::{
        proto::{Action, BatchCheckItem, CheckRequest, ExplainMode, Resource, Subject},
        wire,
    },
    decision::{Asks, Input, Object, Query, Value},
};

/// The message that puts `query`.
pub(super) fn check(query: &Query) -> Result<CheckRequest, InvalidQuestion> {
    let Query { subject, action, resource, context, policy, explain, token, input, asks, strict } = query;
    if token.is_some() {
        return Err(InvalidQuestion::Token);
    }
    if *input != Input::Parts || *asks != Asks::Verdict || *strict {
        return Err(InvalidQuestion::OtherDoor);
    }
    Ok(CheckRequest {
        subject: Some(Subject {
            r#type: subject.kind.clone(),
            id: subject.id.clone(),
            properties: attributes(&subject.properties)?,
        }),
        action: Some(Action { name: action.name.clone(), properties: attributes(&action.properties)? }),
        resource: Some(Resource {
            r#type: resource.kind.clone(),
            id: resource.id.clone(),
            properties: attributes(&resource.properties)?,
        }),
        context: attributes(context)?,
        policy: policy.as_ref().map(|policy| policy.as_str().to_owned()).unwrap_or_default(),
        explain: if *explain { ExplainMode::On } else { ExplainMode::Off }.into(),
        ..CheckRequest::default()
    })
}

/// The item of a batch that puts `query`; a batch explains nothing.
pub(super) fn item(query: &Query) -> Result<BatchCheckItem, InvalidQuestion> {
    let CheckRequest { subject, action, resource, context, policy, .. } = check(query)?;
    Ok(BatchCheckItem { subject, action, resource, context, policy, ..BatchCheckItem::default() })
}

fn attributes(object: &Object) -> Result<Option<wire::Object>, InvalidQuestion> {
    if !object.iter().all(|(_, value)| is_exact(value)) {
        return Err(InvalidQuestion::Inexact);
    }
    Ok((!object.is_empty()).then(|| object.clone().into()))
}

/// Whether a `Struct`, whose numbers are doubles, holds it.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.is_exact_f64(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.iter().all(|(_, value)| is_exact(value)),
    }
}
