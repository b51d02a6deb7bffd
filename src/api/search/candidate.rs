//! What a policy names as a candidate: an id, or an object with `id` (`name`, of an action), `type` and `properties`.

use std::collections::HashSet;

use crate::{
    api::json,
    decision::{Action, Object, Query, Resource, Searched, Subject, Value},
};

/// A candidate of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its type; empty for an action.
    pub kind: String,
    /// Its id, or the action's name.
    pub id: String,
    /// Its attributes, if the policy gave it any.
    pub properties: Object,
}

impl Candidate {
    /// The question whether it is allowed.
    pub(super) fn asked(&self, query: &Query, searched: Searched) -> Query {
        let Self { kind, id, properties } = self.clone();
        let mut query = query.clone();
        match searched {
            Searched::Subject => query.subject = Subject { kind, id, properties },
            Searched::Resource => query.resource = Resource { kind, id, properties },
            Searched::Action => query.action = Action { name: id, properties },
        }
        query
    }
}

/// The candidates of the type that is asked for, each once; `by` names what names them.
pub(super) fn read(named: Vec<Value>, searched: Searched, query: &Query, by: &str) -> Result<Vec<Candidate>, String> {
    let kind = query.kind_of(searched);
    let mut candidates: Vec<Candidate> = Vec::with_capacity(named.len());
    let mut seen = HashSet::new();
    for value in named {
        let candidate = candidate(value, searched, kind).map_err(|fault| format!("an item of `{by}` {fault}"))?;
        let Candidate { kind: its, id, properties } = &candidate;
        if its == kind && seen.insert((id.clone(), json::written_object(properties))) {
            candidates.push(candidate);
        }
    }
    Ok(candidates)
}

fn candidate(value: Value, searched: Searched, kind: &str) -> Result<Candidate, String> {
    let member = if searched == Searched::Action { "name" } else { "id" };
    let kind = kind.to_owned();
    match value {
        Value::String(id) if !id.is_empty() => Ok(Candidate { kind, id, properties: Object::new() }),
        Value::Object(mut members) => {
            let mut text = |name: &str| match members.remove(name) {
                None => Ok(None),
                Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
                Some(_) => Err(format!("has a `{name}` that is no string, or an empty one")),
            };
            let id = text(member)?.ok_or_else(|| format!("has no `{member}`"))?;
            let kind = if searched == Searched::Action { kind } else { text("type")?.unwrap_or(kind) };
            let properties = match members.remove("properties") {
                None => Object::new(),
                Some(Value::Object(properties)) => properties,
                Some(_) => return Err("has `properties` that are no object".to_owned()),
            };
            Ok(Candidate { kind, id, properties })
        }
        _ => Err(format!("is neither a string that is not empty nor an object with `{member}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(items: &str, searched: Searched) -> Result<Vec<String>, String> {
        let Some(Value::Array(items)) = json::object(items.as_bytes()).unwrap().remove("items") else { panic!() };
        let mut query = Query::default();
        "user".clone_into(&mut query.subject.kind);
        read(items, searched, &query, searched.rule()).map(|found| found.into_iter().map(|one| one.id).collect())
    }

    #[test]
    fn keeps_each_candidate_of_the_type_once_in_order() {
        let items = r#"{"items": ["b", {"id": "a"}, "b", {"id": "c", "type": "group"}, {"id": "b", "properties": {"n": 1}},
            {"type": "user", "id": "d"}, {"id": "b", "properties": {"n": 1}}]}"#;
        assert_eq!(found(items, Searched::Subject).unwrap(), ["b", "a", "b", "d"]);
        let items = r#"{"items": ["read", {"name": "write", "properties": {"soft": true}}]}"#;
        assert_eq!(found(items, Searched::Action).unwrap(), ["read", "write"]);
    }

    #[test]
    fn says_what_is_wrong_with_an_item() {
        for (items, fault) in [
            (r#"{"items": [7]}"#, "neither a string"),
            (r#"{"items": [""]}"#, "neither a string"),
            (r#"{"items": [{"name": "x"}]}"#, "has no `id`"),
            (r#"{"items": [{"id": 7}]}"#, "has a `id` that is no string"),
            (r#"{"items": [{"id": "x", "type": 1}]}"#, "has a `type`"),
            (r#"{"items": [{"id": "x", "properties": []}]}"#, "no object"),
        ] {
            let error = found(items, Searched::Subject).unwrap_err();
            assert!(error.contains(fault) && error.contains("`subjects`"), "{error}");
        }
    }
}
