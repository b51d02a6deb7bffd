//! AuthZEN's JSON (Authorization API 1.0 §5) to a question, exact to the last digit of a number; and values to JSON.

mod write;

use std::collections::HashSet;

pub use self::write::{object as written_object, value as written};
use crate::{
    api::status::FieldViolation,
    decision::{Action, MAX_DEPTH, Object, Query, Resource, Searched, Subject, Value, json::parse},
};

/// The members of a question that identify something, and the members that do it (AuthZEN §5.1 to §5.3).
pub const ENTITIES: [(&str, &[&str]); 3] =
    [("subject", &["type", "id"]), ("action", &["name"]), ("resource", &["type", "id"])];

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

/// What a reader does about the identity of an entity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity<'a> {
    /// All of it must be there.
    Whole,
    /// Any of it may be absent.
    Partial,
    /// This part may be absent.
    Without(&'a str),
}

/// Reads one whole question; every violated field is named. Members that AuthZEN does not know are ignored (§6.1).
pub fn query(json: &[u8]) -> Result<Query, Vec<FieldViolation>> {
    let (members, violations) = members(json);
    complete(members, violations)
}

/// Reads the members that are there, and what is wrong with them; with a violation they are no question.
pub fn members(json: &[u8]) -> (Members, Vec<FieldViolation>) {
    match object(json) {
        Ok(members) => read(members, Identity::Whole),
        Err(fault) => (Members::default(), vec![FieldViolation::new("query_json", fault)]),
    }
}

/// Whether a document nests no deeper than [`MAX_DEPTH`], as that of a question may.
pub fn is_shallow(document: &Value) -> bool {
    depth(document) <= MAX_DEPTH
}

/// Reads a JSON text that is an object, or says what is wrong with it.
pub fn object(json: &[u8]) -> Result<Object, String> {
    match parse(json)? {
        Value::Object(members) => Ok(members),
        _ => Err("is not a JSON object".to_owned()),
    }
}

/// Reads any JSON text, or says what is wrong with it.
pub fn any(json: &[u8]) -> Result<Value, String> {
    parse(json)
}

/// As [`query`], of an object that has been read.
pub fn query_of(object: Object) -> Result<Query, Vec<FieldViolation>> {
    let (members, violations) = read(object, Identity::Whole);
    complete(members, violations)
}

/// Reads the question of a search: the identity of what is searched for may be absent, and is not looked at
/// (AuthZEN §8.4 to §8.6).
pub fn search(mut object: Object, searched: Searched) -> Result<Query, Vec<FieldViolation>> {
    let name = searched.member();
    let absent = match (searched, object.remove(name)) {
        (Searched::Action, _) | (_, None) => Identity::Whole,
        (_, Some(Value::Object(mut part))) => {
            part.remove("id");
            object.insert(name.to_owned(), Value::Object(part));
            Identity::Without(if searched == Searched::Subject { "subject.id" } else { "resource.id" })
        }
        (_, Some(other)) => {
            object.insert(name.to_owned(), other);
            Identity::Whole
        }
    };
    let (mut members, violations) = read(object, absent);
    if searched == Searched::Action {
        members.action = Some(Action::default());
    }
    complete(members, violations)
}

/// What is wrong with members that are defaults for others: what is absent may be given there.
pub fn violations_of_defaults(object: Object) -> Vec<FieldViolation> {
    read(object, Identity::Partial).1
}

/// Whether a name is one of `names` but for its case: some readers take the one for the other.
pub fn has_lookalike(object: &Object, names: &[&str]) -> bool {
    object.iter().any(|(name, _)| !names.contains(&name) && names.iter().any(|known| fold(known) == fold(name)))
}

/// Whether any object in it has two names that are one but for their case.
pub fn has_twins(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_twins),
        Value::Object(members) => {
            let mut seen = HashSet::with_capacity(members.len());
            members.iter().any(|(name, member)| !seen.insert(fold(name)) || has_twins(member))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The one spelling of all that differ in case only: small letters alone would keep `ſ` from `s`, and the Kelvin sign
/// from `k`.
fn fold(name: &str) -> String {
    name.to_lowercase().to_uppercase()
}

fn complete(members: Members, mut violations: Vec<FieldViolation>) -> Result<Query, Vec<FieldViolation>> {
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
            Ok(Query { subject, action, resource, context, ..Query::default() })
        }
        _ => Err(violations),
    }
}

fn read(mut members: Object, identity: Identity<'_>) -> (Members, Vec<FieldViolation>) {
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
    let may_be_absent = |name: &str, member: &str| match identity {
        Identity::Whole => false,
        Identity::Partial => true,
        Identity::Without(path) => path.split_once('.') == Some((name, member)),
    };
    let mut entity = |name: &str, object: Option<Object>, names: [&str; 2]| {
        let mut object = object?;
        let [kind, id] = names.map(|member| match object.remove(member) {
            _ if member.is_empty() => String::new(),
            Some(Value::String(text)) if !text.is_empty() => text,
            None if may_be_absent(name, member) => String::new(),
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

/// Whether it nests deeper than a part of a question may.
pub fn too_deep(object: &Object) -> bool {
    object.iter().any(|(_, value)| depth(value) >= MAX_DEPTH)
}

fn check_depth(field: &str, object: &Object, violations: &mut Vec<FieldViolation>) {
    if too_deep(object) {
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
