//! What differs in the files and the data of two bundles.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use super::{
    Package,
    structured::{self, Unreadable, Value},
};

/// Characters of a value that are shown.
const SHOWN: usize = 80;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

/// A value of the data that is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataChange {
    /// Where: `data.limits.a[0]`.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// What it was, as JSON, shortened.
    pub old: Option<String>,
    /// What it is, as JSON, shortened.
    pub new: Option<String>,
}

/// A list that may be longer than what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounded<T> {
    /// The first of them.
    pub first: Vec<T>,
    /// How many there are besides.
    pub more: usize,
    limit: usize,
}

/// A document that can't be read, or not together with the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {cause}")]
pub struct InvalidDocument {
    /// The file.
    pub file: String,
    /// What is wrong.
    pub cause: String,
}

impl<T> Bounded<T> {
    /// An empty list that keeps so many.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { first: Vec::new(), more: 0, limit }
    }

    /// Adds one, or counts it.
    pub fn push(&mut self, one: T) {
        if self.first.len() < self.limit { self.first.push(one) } else { self.more += 1 }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.more == 0
    }
}

/// Each file that is in only one of two bundles, or has other bytes in each.
#[must_use]
pub fn files(old: &Package, new: &Package, limit: usize) -> Bounded<(String, Change)> {
    let mut changes = Bounded::new(limit);
    for_both(&by_path(old), &by_path(new), |path, old, new| {
        if let Some(change) = change(old, new) {
            changes.push(((*path).to_owned(), change));
        }
    });
    changes
}

/// Each value of the data that is in only one of two bundles, or another in each. Numbers are compared as they are
/// written, and so never rounded.
pub fn data(old: &Package, new: &Package, limit: usize) -> Result<Bounded<DataChange>, InvalidDocument> {
    let mut changes = Bounded::new(limit);
    compare("data", Some(&tree(old)?), Some(&tree(new)?), &mut changes);
    Ok(changes)
}

/// Calls `each` with every key of both, in order.
pub fn for_both<K: Ord, V>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    mut each: impl FnMut(&K, Option<&V>, Option<&V>),
) {
    let (mut ones, mut others) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (ones.peek(), others.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        let one = if order.is_le() { ones.next() } else { None };
        let other = if order.is_ge() { others.next() } else { None };
        if let Some((key, _)) = one.or(other) {
            each(key, one.map(|(_, value)| value), other.map(|(_, value)| value));
        }
    }
}

/// What became of a value; `None` if it is the same.
pub fn change<T: PartialEq>(old: Option<&T>, new: Option<&T>) -> Option<Change> {
    match (old, new) {
        (None, None) => None,
        (None, Some(_)) => Some(Change::Added),
        (Some(_), None) => Some(Change::Removed),
        (Some(old), Some(new)) => (old != new).then_some(Change::Changed),
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        })
    }
}

fn by_path(package: &Package) -> BTreeMap<&str, &[u8]> {
    package.files.iter().map(|file| (file.path.as_str(), file.bytes.as_slice())).collect()
}

/// All documents at their places.
fn tree(package: &Package) -> Result<Value<'_>, InvalidDocument> {
    let mut whole = Value::Object(BTreeMap::new());
    for file in &package.files {
        let (folders, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        if !matches!(name, "data.json" | "data.yaml" | "data.yml") {
            continue;
        }
        let invalid = |cause: String| InvalidDocument { file: file.path.clone(), cause };
        let value = structured::parse(&file.path, &file.bytes).map_err(|Unreadable(cause)| invalid(cause))?;
        let mount = |inner, name| Value::Object(BTreeMap::from([(Cow::Borrowed(name), inner)]));
        let value = folders.rsplit('/').filter(|name| !name.is_empty()).fold(value, mount);
        merge(&mut whole, value).map_err(|()| invalid("conflicts with other data".to_owned()))?;
    }
    Ok(whole)
}

fn merge<'a>(into: &mut Value<'a>, from: Value<'a>) -> Result<(), ()> {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(there) => merge(there, value)?,
                    None => drop(into.insert(name, value)),
                }
            }
            Ok(())
        }
        (into, from) if *into == from => Ok(()),
        _ => Err(()),
    }
}

fn compare(path: &str, old: Option<&Value<'_>>, new: Option<&Value<'_>>, changes: &mut Bounded<DataChange>) {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for_both(old, new, |name, old, new| compare(&below(path, name), old, new, changes));
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for at in 0..old.len().max(new.len()) {
                compare(&format!("{path}[{at}]"), old.get(at), new.get(at), changes);
            }
        }
        (old, new) => {
            if let Some(change) = change(old, new) {
                changes.push(DataChange { path: path.to_owned(), change, old: old.map(shown), new: new.map(shown) });
            }
        }
    }
}

/// A place as Rego refers to it.
fn below(path: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if plain { format!("{path}.{name}") } else { format!("{path}[{}]", serde_json::Value::from(name)) }
}

fn shown(value: &Value<'_>) -> String {
    let mut text = Vec::new();
    value.write(&mut text);
    let text = String::from_utf8_lossy(&text);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::File;

    fn package(files: &[(&str, &str)]) -> Package {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() };
        Package { files: files.iter().map(file).collect(), ..Package::default() }
    }

    #[test]
    fn tells_each_value_that_differs() {
        let old =
            package(&[("a/data.json", r#"{"n": 9007199254740993, "same": {"x": 1}, "list": [1, 2], "gone": null}"#)]);
        let new =
            package(&[("data.yaml", "a:\n  n: 9007199254740992\n  same: {x: 1}\n  list: [1, 3, 4]\n  x-y: [\"a\"]\n")]);
        let changes = data(&old, &new, 10).unwrap();
        let lines: Vec<String> =
            changes.first.iter().map(|change| format!("{} {}", change.change, change.path)).collect();
        let wanted = [
            "removed data.a.gone",
            "changed data.a.list[1]",
            "added data.a.list[2]",
            "changed data.a.n",
            "added data.a[\"x-y\"]",
        ];
        assert_eq!(lines, wanted);
        let number = &changes.first[3];
        assert_eq!(
            (number.old.as_deref(), number.new.as_deref()),
            (Some("9007199254740993"), Some("9007199254740992"))
        );
        assert_eq!(data(&old, &new, 2).unwrap().more, 3);
        assert!(data(&old, &old, 2).unwrap().is_empty());
        assert_eq!(files(&old, &new, 9).first.len(), 2);
    }

    #[test]
    fn documents_are_one_tree() {
        let split = package(&[("a/b/data.json", "{\"x\":1}"), ("a/data.json", "{\"c\":2}")]);
        let whole = package(&[("data.json", r#"{"a":{"b":{"x":1},"c":2}}"#)]);
        assert!(data(&split, &whole, 9).unwrap().is_empty());
        let conflict = package(&[("a/data.json", "1"), ("data.json", r#"{"a":2}"#)]);
        assert!(data(&conflict, &whole, 9).is_err());
        let long = package(&[("data.json", &format!("{{\"a\":\"{}\"}}", "x".repeat(500)))]);
        assert!(data(&whole, &long, 9).unwrap().first[0].new.as_ref().unwrap().len() < 100);
    }
}
