//! What was said of a subject since its tokens were made: attributes that policies read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::Target;
use crate::decision::{Object, Value, json};

/// The longest value of an attribute, as JSON.
pub(super) const LONGEST: usize = 4 << 10;

/// The most attributes of one subject.
pub(super) const MOST: usize = 32;

/// One attribute, as it was said last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// What it is now.
    pub value: serde_json::Value,
    /// When that happened, in seconds since 1970.
    pub at: u64,
    /// The transmitter that said so.
    pub source: String,
}

/// A new value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Whom or what it is about.
    pub target: Target,
    /// Its name: `risk_level` and the like.
    pub name: String,
    /// What it is.
    pub attribute: Attribute,
}

/// All attributes of one subject; also what is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attributes {
    pub(super) kind: String,
    pub(super) issuer: String,
    pub(super) value: String,
    #[serde(rename = "attributes")]
    pub(super) said: BTreeMap<String, Attribute>,
}

impl Attributes {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            kind: target.kind.name().to_owned(),
            issuer: target.issuer.clone(),
            value: target.value.clone(),
            said: BTreeMap::new(),
        }
    }

    /// Takes a new value, unless a later one is there. Past [`MOST`], the one that is longest ago goes.
    pub(super) fn set(&mut self, name: &str, attribute: &Attribute) -> bool {
        if self.said.get(name).is_some_and(|known| known.at > attribute.at) {
            return false;
        }
        self.said.insert(name.to_owned(), attribute.clone());
        if self.said.len() > MOST
            && let Some(oldest) = self.said.iter().min_by_key(|(_, known)| known.at).map(|(name, _)| name.clone())
        {
            self.said.remove(&oldest);
        }
        true
    }

    /// As policies see them.
    pub(super) fn shown(&self) -> Object {
        self.said.iter().map(|(name, attribute)| (name.clone(), attribute.shown())).collect()
    }
}

/// What was said of all; see [`super::Registry::everything_said`].
pub(super) fn by_issuer(mut all: Vec<Attributes>, most: usize) -> serde_json::Value {
    let latest = |one: &Attributes| one.said.values().map(|attribute| attribute.at).max();
    all.sort_by_key(|one| std::cmp::Reverse(latest(one)));
    let mut issuers = serde_json::Map::new();
    for Attributes { kind, issuer, value, said } in all.into_iter().take(most) {
        let member = |map: &mut serde_json::Map<String, serde_json::Value>, name: String| {
            map.entry(name)
                .or_insert_with(|| serde_json::Value::Object(serde_json::Map::new()))
                .as_object_mut()
                .map(std::mem::take)
        };
        let mut kinds = member(&mut issuers, issuer.clone()).unwrap_or_default();
        let mut values = member(&mut kinds, kind.clone()).unwrap_or_default();
        let shown = said.into_iter().map(|(name, Attribute { value, at, source })| {
            let mut members = match value {
                serde_json::Value::Object(members) => members,
                value => serde_json::Map::from_iter([("value".to_owned(), value)]),
            };
            members.insert("at".to_owned(), at.into());
            members.insert("source".to_owned(), source.into());
            (name, members.into())
        });
        values.insert(value, serde_json::Value::Object(shown.collect()));
        kinds.insert(kind, values.into());
        issuers.insert(issuer, kinds.into());
    }
    issuers.into()
}

impl Attribute {
    /// The value's members, and beside them when and by whom; a value that is no object is the member `value`.
    fn shown(&self) -> Value {
        let read = json::parse(self.value.to_string().as_bytes());
        let mut shown = match read {
            Ok(Value::Object(members)) => members,
            Ok(value) => Object::from_iter([("value".to_owned(), value)]),
            Err(_) => Object::new(),
        };
        shown.insert("at".to_owned(), Value::from(i64::try_from(self.at).unwrap_or(i64::MAX)));
        shown.insert("source".to_owned(), Value::from(self.source.as_str()));
        Value::Object(shown)
    }
}
