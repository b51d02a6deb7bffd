//! OPA's order of values: null, booleans, numbers, strings, arrays, objects, sets. regorus has sets before objects, and
//! so another order within whatever has both.

use std::{borrow::Cow, cmp::Ordering};

use regorus::{Value as Rego, value::Set};

/// How OPA orders two values.
pub(super) fn compare(one: &Rego, other: &Rego) -> Ordering {
    let rank = |value: &Rego| match value {
        Rego::Array(_) => 1,
        Rego::Object(_) => 2,
        Rego::Set(_) => 3,
        Rego::Undefined => 4,
        _ => 0,
    };
    match (one, other) {
        (Rego::Array(one), Rego::Array(other)) => each(one.iter(), other.iter()),
        (Rego::Set(one), Rego::Set(other)) => each(sorted(one).into_iter(), sorted(other).into_iter()),
        (Rego::Object(one), Rego::Object(other)) => {
            let members = |object: &'_ regorus::value::Object| {
                let mut members: Vec<_> = object.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                members.sort_by(|(one, _), (other, _)| compare(one, other));
                members.into_iter().flat_map(|(key, value)| [key, value]).collect::<Vec<Rego>>()
            };
            each(members(one).iter(), members(other).iter())
        }
        _ => rank(one).cmp(&rank(other)).then_with(|| one.cmp(other)),
    }
}

fn each<'a>(mut one: impl Iterator<Item = &'a Rego>, mut other: impl Iterator<Item = &'a Rego>) -> Ordering {
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(one), Some(other)) => compare(one, other),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn is_composite(value: &Rego) -> bool {
    matches!(value, Rego::Array(_) | Rego::Object(_) | Rego::Set(_))
}

/// A set's elements in OPA's order.
pub(super) fn sorted(set: &Set) -> Vec<&Rego> {
    let mut items: Vec<&Rego> = set.iter_sorted().collect();
    // Of scalars, regorus' order is the same.
    if items.last().is_some_and(|last| is_composite(last)) {
        items.sort_by(|one, other| compare(one, other));
    }
    items
}

/// A value as the JSON that OPA shows: sets as arrays in its order, and keys as texts.
pub(super) fn presented(value: &Rego) -> Cow<'_, Rego> {
    if is_json(value) { Cow::Borrowed(value) } else { Cow::Owned(present(value)) }
}

/// What a key is in JSON: itself, if it is a string.
pub(super) fn key(key: &Rego) -> Option<String> {
    match key {
        Rego::String(key) => Some(key.to_string()),
        other => serde_json::to_string(&*presented(other)).ok(),
    }
}

fn is_json(value: &Rego) -> bool {
    match value {
        Rego::Array(items) => items.iter().all(is_json),
        Rego::Object(members) => members.iter().all(|(key, item)| matches!(key, Rego::String(_)) && is_json(item)),
        Rego::Set(_) => false,
        _ => true,
    }
}

fn present(value: &Rego) -> Rego {
    match value {
        Rego::Array(items) => Rego::from(items.iter().map(present).collect::<Vec<_>>()),
        Rego::Set(items) => Rego::from(sorted(items).into_iter().map(present).collect::<Vec<_>>()),
        Rego::Object(members) => {
            let mut object = regorus::value::Object::new();
            for (name, item) in members.iter() {
                object.insert(Rego::from(key(name).unwrap_or_default()), present(item));
            }
            object.into_value()
        }
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn set(items: impl IntoIterator<Item = Rego>) -> Rego {
        Rego::from(items.into_iter().collect::<BTreeSet<_>>())
    }

    fn json(text: &str) -> Rego {
        Rego::from_json_str(text).unwrap()
    }

    #[test]
    fn objects_are_before_sets_however_deep() {
        let one = || set([json("1")]);
        let object = || json(r#"{"a": 1}"#);
        let ordered = ["null", "false", "true", "2", "\"a\"", "[1]", r#"[{"a": 1}]"#].map(json);
        let ordered: Vec<Rego> = ordered.into_iter().chain([Rego::from(vec![one()]), object(), one()]).collect();
        for (place, value) in ordered.iter().enumerate() {
            for (other, compared) in ordered.iter().enumerate() {
                assert_eq!(compare(value, compared), place.cmp(&other), "{value} {compared}");
            }
        }
        assert_eq!(compare(&set([object()]), &set([one(), object()])), Ordering::Less);
        assert_eq!(compare(&set([one()]), &set([one(), object()])), Ordering::Greater);
        assert_eq!(compare(&json(r#"{"a": 1, "b": 1}"#), &json(r#"{"a": 2}"#)), Ordering::Less);
    }

    #[test]
    fn what_is_shown_is_opas_json() {
        let mut object = regorus::value::Object::new();
        object.insert(set([json("2"), json("1")]), set([set([json("1")]), json(r#"{"a": 1}"#), json("[1]")]));
        object.insert(json(r#"{"a": 1}"#), json("2"));
        let shown = serde_json::to_string(&*presented(&object.into_value())).unwrap();
        assert_eq!(shown, r#"{"[1,2]":[[1],{"a":1},[1]],"{\"a\":1}":2}"#);
    }
}
