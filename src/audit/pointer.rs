//! Places in a record: JSON pointers (RFC 6901), with `*` for every member or item where a rule may say so.

use std::{fmt, str::FromStr};

use crate::decision::{Object, Value};

/// A place below `input`, `token` or `result`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

/// Why a text is no such place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place in a record; write it like `/input/context/ip` or `/result/context`")]
pub struct InvalidPointer(String);

/// What is done to a value.
pub(super) enum Change<'a> {
    /// It goes.
    Remove,
    /// It becomes this.
    Replace(&'a mut dyn FnMut(&Value) -> Value),
}

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPointer(text.chars().take(80).collect());
        let parts: Vec<String> = text
            .strip_prefix('/')
            .ok_or_else(invalid)?
            .split('/')
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect();
        match parts.first().map(String::as_str) {
            Some("input" | "token" | "result") => Ok(Self(parts)),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(out, "/{}", escaped(part)))
    }
}

/// A part as it stands in a pointer.
pub(super) fn escaped(part: &str) -> String {
    if part.contains(['~', '/']) { part.replace('~', "~0").replace('/', "~1") } else { part.to_owned() }
}

impl Pointer {
    pub(super) fn parts(&self) -> &[String] {
        &self.0
    }
}

/// Changes what is at `path` below `value`, whose own place is `at`, and tells each place that was changed and what
/// was there. `wild` lets `*` stand for all.
pub(super) fn change(
    value: &mut Value,
    at: &str,
    path: &[String],
    wild: bool,
    change: &mut Change<'_>,
    changed: &mut dyn FnMut(String, Value),
) {
    let Some((name, rest)) = path.split_first() else { return };
    let names: Vec<String> = match &*value {
        Value::Object(object) if wild && name == "*" => object.iter().map(|(name, _)| name.to_owned()).collect(),
        Value::Array(items) if wild && name == "*" => (0..items.len()).rev().map(|number| number.to_string()).collect(),
        _ => vec![name.clone()],
    };
    for name in names {
        let place = format!("{at}/{}", escaped(&name));
        if rest.is_empty() {
            let before = match change {
                Change::Remove => remove(value, &name),
                Change::Replace(with) => member(value, &name).map(|member| {
                    let with = with(member);
                    std::mem::replace(member, with)
                }),
            };
            if let Some(before) = before {
                changed(place, before);
            }
        } else if let Some(member) = member(value, &name) {
            self::change(member, &place, rest, wild, change, changed);
        }
    }
}

/// Puts `with` at `path`, with objects for what is missing on the way (OPA's `upsert`), and gives what was there,
/// null for nothing; `None` where something else is in the way, which stays.
pub(super) fn upsert(value: &mut Value, path: &[String], with: Value) -> Option<Value> {
    let Some((name, rest)) = path.split_first() else {
        return Some(std::mem::replace(value, with));
    };
    match value {
        Value::Array(items) => {
            let number: usize = name.parse().ok()?;
            upsert(items.get_mut(number)?, rest, with)
        }
        Value::Object(object) => {
            if let Some(member) = object.get_mut(name) {
                upsert(member, rest, with)
            } else {
                let new = rest.iter().rev().fold(with, |value, name| {
                    Value::Object(std::iter::once((name.clone(), value)).collect::<Object>())
                });
                object.insert(name.clone(), new);
                Some(Value::Null)
            }
        }
        _ => None,
    }
}

fn member<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    match value {
        Value::Object(object) => object.get_mut(name),
        Value::Array(items) => name.parse::<usize>().ok().and_then(|number| items.get_mut(number)),
        _ => None,
    }
}

fn remove(value: &mut Value, name: &str) -> Option<Value> {
    match value {
        Value::Object(object) => object.remove(name),
        Value::Array(items) => {
            let number: usize = name.parse().ok().filter(|number| *number < items.len())?;
            Some(items.remove(number))
        }
        _ => None,
    }
}
