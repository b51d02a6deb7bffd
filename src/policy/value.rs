//! Domain values to Rego values and back, without a detour through text.

mod making;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use regorus::Value as Rego;

use self::making::{Making, Part};
use super::order;
use crate::decision::{Input, MAX_DEPTH, Number, Object, Query, Searched, Value};

/// The names that every `input` has. An evaluator keeps its own, so that asking it makes none and shares none.
pub(super) struct Names {
    action: Rego,
    caller: Rego,
    context: Rego,
    id: Rego,
    name: Rego,
    properties: Rego,
    resource: Rego,
    subject: Rego,
    token: Rego,
    kind: Rego,
    words: Words,
}

/// The names that questions have again and again: of properties, types and actions. Never values, which may be secret.
#[derive(Default)]
struct Words(Vec<Rego>);

/// How many of them are kept, and how many bytes the longest has.
const MOST_WORDS: usize = 64;
const LONGEST_WORD: usize = 32;

impl Words {
    /// A name; the same memory as the last time, if no other has taken its place since.
    fn word(&mut self, word: &str) -> Rego {
        if word.len() > LONGEST_WORD {
            return text(word);
        }
        if self.0.is_empty() {
            self.0.resize(MOST_WORDS, Rego::Undefined);
        }
        let Some(slot) = self.0.get_mut(Self::place(word)) else { return text(word) };
        if !matches!(slot, Rego::String(known) if known.as_ref() == word) {
            *slot = text(word);
        }
        slot.clone()
    }

    fn place(word: &str) -> usize {
        let bytes = word.as_bytes();
        let byte = |at: usize| bytes.get(at).copied().map_or(0, usize::from);
        let last = bytes.len().saturating_sub(1);
        (bytes.len() * 7 + byte(0) * 5 + byte(last / 2) * 3 + byte(last)) % MOST_WORDS
    }
}

impl Names {
    /// Fresh names.
    pub(super) fn new() -> Self {
        Self {
            action: text("action"),
            caller: text("caller"),
            context: text("context"),
            id: text("id"),
            name: text("name"),
            properties: text("properties"),
            resource: text("resource"),
            subject: text("subject"),
            token: text("token"),
            kind: text("type"),
            words: Words::default(),
        }
    }

    /// The question as the policy's `input` (design, *What a policy sees*); `None` where it weighs more than `most`, in
    /// nodes, and 64 bytes of text each. What was the last input, `before`, is used again where that is possible.
    pub(super) fn input(&mut self, query: &Query, most: usize, mut before: Rego) -> Option<Rego> {
        let Self { action, caller, context, id, name, properties, resource, subject, token, kind, words } = self;
        let mut making = Making { left: most, words };
        match &query.input {
            Input::Parts => {}
            Input::Document(document) => return making.renew(&mut before, Part::Value(document)).map(|()| before),
            Input::Undefined => return Some(Rego::Undefined),
        }
        let (asks, on, by) = (&query.action, &query.resource, &query.subject);
        let asks = [(&*name, Part::Word(&asks.name)), (&*properties, Part::Object(&asks.properties))];
        let on =
            [(&*id, Part::Text(&on.id)), (&*properties, Part::Object(&on.properties)), (&*kind, Part::Word(&on.kind))];
        let by =
            [(&*id, Part::Text(&by.id)), (&*properties, Part::Object(&by.properties)), (&*kind, Part::Word(&by.kind))];
        let parts = [
            (&*action, Part::Members(&asks)),
            (&*context, Part::Object(&query.context)),
            (&*resource, Part::Members(&on)),
            (&*subject, Part::Members(&by)),
        ];
        let proven = [(&*caller, &query.caller), (&*token, &query.token)];
        let mut proven = proven.into_iter().filter_map(|(name, known)| Some((name, Part::Object(known.as_ref()?))));
        let all = match proven.next() {
            None => return making.renew(&mut before, Part::Members(&parts)).map(|()| before),
            Some(first) => parts.into_iter().chain([first]).chain(proven),
        };
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(one, _)| *one);
        making.renew(&mut before, Part::Members(&all)).map(|()| before)
    }
}

impl Names {
    /// The same for a search: without the action, or without the id of the subject or resource, that is searched for.
    pub(super) fn search(&mut self, query: &Query, searched: Searched, most: usize) -> Option<Rego> {
        let mut input = self.input(query, most, Rego::Undefined)?;
        let Rego::Object(members) = &mut input else { return Some(input) };
        let members = Arc::make_mut(members);
        let part = match searched {
            Searched::Subject => &self.subject,
            Searched::Resource => &self.resource,
            Searched::Action => &self.action,
        };
        match members.remove(part) {
            Some(Rego::Object(mut entity)) if searched != Searched::Action => {
                Arc::make_mut(&mut entity).remove(&self.id);
                members.insert(part.clone(), Rego::Object(entity));
            }
            _ => {}
        }
        Some(input)
    }
}

/// A Rego value as a domain value: sets become arrays, keys that are not strings their JSON text (as OPA does).
/// `None` for undefined, and for what nests deeper than [`MAX_DEPTH`].
pub(super) fn to_value(value: &Rego) -> Option<Value> {
    to_value_at(value, 0)
}

/// A Rego object as a domain object.
pub(super) fn to_object(value: &Rego) -> Option<Object> {
    match to_value(value)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// A copy that shares no memory, and so no reference count, with the original.
pub(super) fn unshared(value: &Rego) -> Rego {
    match value {
        Rego::String(string) => text(string),
        Rego::Array(items) => Rego::from(items.iter().map(unshared).collect::<Vec<_>>()),
        Rego::Set(items) => Rego::from(items.iter().map(unshared).collect::<BTreeSet<_>>()),
        Rego::Object(members) => {
            Rego::from(members.iter().map(|(key, item)| (unshared(key), unshared(item))).collect::<BTreeMap<_, _>>())
        }
        // A number of more than 64 bits stays shared: it is rare, and its type is not reachable from here.
        Rego::Null | Rego::Bool(_) | Rego::Number(_) | Rego::Undefined => value.clone(),
    }
}

fn to_value_at(value: &Rego, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match value {
        Rego::Null => Value::Null,
        Rego::Bool(truth) => Value::Bool(*truth),
        Rego::Number(_) => Value::Number(to_number(value)),
        Rego::String(string) => Value::String(string.to_string()),
        Rego::Array(items) => {
            Value::Array(items.iter().map(|item| to_value_at(item, depth + 1)).collect::<Option<_>>()?)
        }
        Rego::Set(items) => Value::Array(
            order::sorted(items).into_iter().map(|item| to_value_at(item, depth + 1)).collect::<Option<_>>()?,
        ),
        Rego::Object(members) => {
            let mut object = Object::new();
            for (key, item) in members.iter_sorted() {
                object.insert(order::key(key)?, to_value_at(item, depth + 1)?);
            }
            Value::Object(object)
        }
        Rego::Undefined => return None,
    })
}

/// A domain value as a Rego value.
pub(super) fn of_value(value: &Value) -> Rego {
    match value {
        Value::Null => Rego::Null,
        Value::Bool(truth) => Rego::Bool(*truth),
        Value::Number(number) => from_number(number),
        Value::String(string) => text(string),
        Value::Array(items) => Rego::from(items.iter().map(of_value).collect::<Vec<_>>()),
        Value::Object(members) => {
            Rego::from(members.iter().map(|(name, item)| (text(name), of_value(item))).collect::<BTreeMap<_, _>>())
        }
    }
}

fn from_number(number: &Number) -> Rego {
    match number {
        Number::Int(number) => Rego::from(*number),
        Number::UInt(number) => Rego::from(*number),
        Number::Float(number) => Rego::from(*number),
        // The doors let no text through that this cannot hold; if one did, a null matches no number.
        Number::Decimal(digits) => Rego::from_numeric_string(digits).unwrap_or(Rego::Null),
    }
}

fn to_number(value: &Rego) -> Number {
    if let Ok(number) = value.as_i64() {
        return Number::Int(number);
    }
    if let Ok(number) = value.as_u64() {
        return Number::UInt(number);
    }
    let digits = value.to_string();
    // What has a point or an exponent is a double; other texts are integers of more than 64 bits.
    match value.as_f64() {
        Ok(number) if digits.contains(['.', 'e', 'E']) => Number::from_f64(number),
        _ => None,
    }
    .unwrap_or_else(|| Number::Decimal(digits.into()))
}

fn text(string: &str) -> Rego {
    Rego::String(string.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit_both_ways() {
        for digits in [
            "0",
            "-7",
            "9223372036854775807",
            "18446744073709551615",
            "18446744073709551616",
            "0.5",
            "-1e-7",
            "123456789012345678901234567890",
        ] {
            let there = from_number(&Number::Decimal(digits.into()));
            let back = to_number(&there);
            assert_eq!(from_number(&back), there, "{digits} came back as {back}");
        }
        assert_eq!(
            to_number(&from_number(&Number::Decimal("18446744073709551616".into()))).to_string(),
            "18446744073709551616"
        );
    }

    #[test]
    fn words_that_take_each_others_places_stay_what_they_are() {
        let mut words = Words::default();
        let long = "x".repeat(LONGEST_WORD + 1);
        let all: Vec<String> = (0..1_000).map(|number| format!("name-{number}")).chain([String::new(), long]).collect();
        for _ in 0..2 {
            for word in &all {
                assert_eq!(words.word(word), text(word));
            }
        }
        assert_eq!(words.0.len(), MOST_WORDS);
        let (Rego::String(one), Rego::String(other)) = (words.word("again"), words.word("again")) else {
            unreachable!("a word is a string")
        };
        assert!(Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn a_double_equals_the_integer_that_it_is() {
        assert_eq!(from_number(&Number::Float(3.0)), Rego::from(3_i64));
    }

    #[test]
    fn sets_and_odd_keys_become_json() {
        let set = Rego::from_json_str("[2, 1]").unwrap();
        let set = Rego::from(set.as_array().unwrap().iter().cloned().collect::<BTreeSet<_>>());
        let object = Rego::from(BTreeMap::from([(Rego::from(1_i64), set)]));
        let value = to_object(&object).unwrap();
        assert_eq!(value.get("1"), Some(&Value::Array(vec![Value::from(1), Value::from(2)])));
    }
}
