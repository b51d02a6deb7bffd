//! A table whose name is the operator's, read member by member, so that every fault is told at once.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    fault::{Fault, excerpt},
    near::nearest,
};

/// A table, member by member.
pub(super) struct Table<'a> {
    /// The place of a member, for messages.
    pub(super) place: &'a dyn Fn(&str) -> String,
    /// The page of the documentation that tells of it.
    pub(super) page: &'static str,
    /// What is not read yet.
    pub(super) members: serde_json::Map<String, Value>,
    /// What is wrong with it.
    pub(super) faults: &'a mut Vec<Fault>,
}

impl Table<'_> {
    pub(super) fn fault(&mut self, field: &str, problem: impl Into<String>, expected: impl Into<String>) {
        self.faults.push(Fault::new((self.place)(field), problem, expected));
    }

    /// Takes a member, if it is there and can be read.
    pub(super) fn take<T: DeserializeOwned>(&mut self, field: &str) -> Option<T> {
        let value = self.members.remove(field)?;
        match serde_json::from_value(value) {
            Ok(read) => Some(read),
            Err(error) => {
                let text = error.to_string();
                let page = format!("what `{}` says", self.page);
                let (problem, expected) = text.split_once(", expected ").unwrap_or((&text, &page));
                self.fault(&format!(".{field}"), excerpt(problem), expected);
                None
            }
        }
    }

    /// Whether a member is there that was not taken yet.
    pub(super) fn has(&self, field: &str) -> bool {
        self.members.contains_key(field)
    }

    /// Takes a member that must be there.
    pub(super) fn need<T: DeserializeOwned>(&mut self, field: &str, why: &str) -> Option<T> {
        if !self.has(field) {
            self.fault(&format!(".{field}"), "is missing", why);
        }
        self.take(field)
    }

    /// Tells of what is left: a key that is known but means nothing here, and one that is not known.
    pub(super) fn end(mut self, known: &[&str], idle: &str, instead: &str) {
        for key in self.members.keys().cloned().collect::<Vec<_>>() {
            if known.contains(&key.as_str()) {
                self.fault(&format!(".{key}"), idle, instead);
            } else {
                let expected = nearest(&key, known.iter().map(|known| (*known).to_owned())).map_or_else(
                    || format!("one of `{}`", known.join("`, `")),
                    |near| format!("a known key; did you mean `{near}`?"),
                );
                self.fault(&format!(".{key}"), "unknown key", expected);
            }
        }
    }
}
