//! AuthZEN's JSON (Authorization API 1.0 §6.1) to a question, exact to the last digit of a number.

mod number;
mod value;

use crate::{
    api::status::FieldViolation,
    decision::{Action, MAX_DEPTH, Object, Query, Resource, Subject, Value},
};

/// The members of a question that a JSON text has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members {
    /// `subject`, if it is there.
    pub subject: Option<Subject>,
    /// `action`, if it is there.
    pub action: Option<Action>,
    /// `resource`, if it is there.
    pub resource: Option<Resource>,
    /// `context`, if it is there.
    pub context: Option<Object>,
}

/// Reads one whole question; every violated field is named. Members that AuthZEN does not know are ignored (§6.1).
pub fn query(json: &[u8]) -> Result<Query, Vec<FieldViolation>> {
    let (members, mut violations) = members(json);
    let named = |violations: &[FieldViolation], name: &str| {
        violations.iter().any(|violation| violation.field.starts_with(name) || violation.field == "query_json")
    };
    for (name, absent) in [
        ("subject", members.subject.is_none()),
        ("action", members.action.is_none()),
        ("resource", members.resource.is_none()),
    ] {
        if absent && !named(&violations, name) {
            violations.push(FieldViolation::new(name, "is missing"));
        }
    }
    match members {
        Members { subject: Some(subject), action: Some(action), resource: Some(resource), context }
            if violations.is_empty() =>
        {
            let context = context.unwrap_or_default();
            Ok(Query { subject, action, resource, context, policy: None, explain: false })
        }
        _ => Err(violations),
    }
}

/// Reads the members that are there, and what is wrong with them; with a violation they are no question.
pub fn members(json: &[u8]) -> (Members, Vec<FieldViolation>) {
    let unusable = |fault: String| (Members::default(), vec![FieldViolation::new("query_json", fault)]);
    let mut members = match value::parse(json) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return unusable("is not a JSON object".to_owned()),
        Err(fault) => return unusable(fault),
    };
    let mut violations = Vec::new();
    let mut object = |name: &str, violations: &mut Vec<FieldViolation>| match members.remove(name) {
        None => None,
        Some(Value::Object(object)) => Some(object),
        Some(_) => {
            violations.push(FieldViolation::new(name, "is not an object"));
            None
        }
    };
    let (subject, action, resource) =
        ["subject", "action", "resource"].map(|name| object(name, &mut violations)).into();
    let context = object("context", &mut violations);
    if let Some(context) = &context {
        check_depth("context", context, &mut violations);
    }
    let mut entity = |name: &str, object: Option<Object>, names: [&str; 2]| {
        let mut object = object?;
        let [kind, id] = names.map(|member| match object.remove(member) {
            _ if member.is_empty() => String::new(),
            Some(Value::String(text)) if !text.is_empty() => text,
            other => {
                let fault = match other {
                    None => "is missing",
                    Some(Value::String(_)) => "is empty",
                    Some(_) => "is not a string",
                };
                violations.push(FieldViolation::new(format!("{name}.{member}"), fault));
                String::new()
            }
        });
        let properties = match object.remove("properties") {
            None => Object::new(),
            Some(Value::Object(properties)) => properties,
            Some(_) => {
                violations.push(FieldViolation::new(format!("{name}.properties"), "is not an object"));
                Object::new()
            }
        };
        check_depth(&format!("{name}.properties"), &properties, &mut violations);
        Some((kind, id, properties))
    };
    let subject =
        entity("subject", subject, ["type", "id"]).map(|(kind, id, properties)| Subject { kind, id, properties });
    let action = entity("action", action, ["", "name"]).map(|(_, name, properties)| Action { name, properties });
    let resource =
        entity("resource", resource, ["type", "id"]).map(|(kind, id, properties)| Resource { kind, id, properties });
    (Members { subject, action, resource, context }, violations)
}

fn check_depth(field: &str, object: &Object, violations: &mut Vec<FieldViolation>) {
    if object.iter().any(|(_, value)| depth(value) >= MAX_DEPTH) {
        violations.push(FieldViolation::new(field, format!("nested deeper than {MAX_DEPTH} levels")));
    }
}

/// How many containers are inside each other; the parser has bounded it.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests;
