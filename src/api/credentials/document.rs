//! Inputs of other protocols, which may say whose question it is: `subject`, as AuthZEN writes it.

use crate::{
    decision::{Object, Value},
    identity::Caller,
};

const SUBJECT: &str = "subject";

/// Whether what a document says of its subject, as far as it says something, is what the credential proves. Only an object
/// can say that: of any other value, nobody knows what a policy makes of it.
pub(super) fn is_about(document: &Value, caller: &Caller) -> bool {
    let subject = match document {
        Value::Object(members) => members.get(SUBJECT),
        _ => None,
    };
    let subject = match subject {
        None => return true,
        Some(Value::Object(subject)) => subject,
        Some(_) => return false,
    };
    let is = |name: &str, proven: &str| match subject.get(name) {
        None => true,
        Some(Value::String(stated)) => stated == proven,
        Some(_) => false,
    };
    is("type", &caller.subject.kind)
        && is("id", &caller.subject.id)
        && matches!(subject.get("properties"), None | Some(Value::Object(_)))
}

/// Makes a document that [`is_about`] the caller say so, and what is known of the token.
pub(super) fn prove(document: &mut Value, caller: &Caller) {
    let Value::Object(members) = document else { return };
    let mut subject = match members.remove(SUBJECT) {
        Some(Value::Object(subject)) => subject,
        _ => Object::new(),
    };
    let mut properties = match subject.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Object::new(),
    };
    caller.speak_for(&mut properties);
    subject.insert("type".to_owned(), caller.subject.kind.as_str().into());
    subject.insert("id".to_owned(), caller.subject.id.as_str().into());
    subject.insert("properties".to_owned(), properties.into());
    members.insert(SUBJECT.to_owned(), subject.into());
    members.insert("token".to_owned(), caller.claims.clone().into());
}
