//! JSON that is taken apart only where it is changed: everything else stays the text that it was.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Bundle, Document, Format, outside, package::Package};

/// Data that can't be read, or that has no one home.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {cause}")]
pub struct InvalidData {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub cause: String,
}

/// How deep a change may go, and documents may be merged: what reads the result goes no deeper.
pub(super) const MAX_DEPTH: usize = 127;

/// A JSON value.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// As it is written.
    Raw(&'a RawValue),
    Object(BTreeMap<String, Node<'a>>),
    Array(Vec<Node<'a>>),
}

impl Default for Node<'_> {
    fn default() -> Self {
        Self::Object(BTreeMap::new())
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(text) => text.serialize(to),
            Self::Object(members) => members.serialize(to),
            Self::Array(members) => members.serialize(to),
        }
    }
}

/// The data documents of a bundle, all as JSON.
pub(super) fn documents(package: &Package) -> Result<Vec<Document>, InvalidData> {
    let files = package.files.iter().filter(|file| is_data(&file.path));
    let bundle = Bundle::from_files(files.map(|file| (file.path.clone(), file.bytes.clone())));
    let bundle = bundle.map_err(|error| InvalidData { file: error.path.clone(), cause: error.to_string() })?;
    let as_json = |mut document: Document| {
        if document.format == Format::Yaml {
            match outside::yaml(&document.text) {
                Ok(json) => document.text = json.to_string(),
                Err(cause) => return Err(InvalidData { file: document.path, cause }),
            }
        }
        Ok(document)
    };
    bundle.data.into_iter().map(as_json).collect()
}

/// Documents merged at their mounts: an object.
pub(super) fn merged(documents: &[Document]) -> Result<Node<'_>, InvalidData> {
    let mut tree = Node::default();
    for Document { path, mount, text, .. } in documents {
        let invalid = |cause: String| InvalidData { file: path.clone(), cause };
        tree.merge(Node::mounted(mount, text).map_err(invalid)?, 0).map_err(invalid)?;
    }
    Ok(tree)
}

/// Whether a file of this path is a data document.
pub(super) fn is_data(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("data.json" | "data.yaml" | "data.yml"))
}

/// The names of a patch's path, which OPA unescapes as a part of a URL and then as a JSON pointer (RFC 6901 §4).
pub(super) fn path(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim_matches('/');
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = text.split('/').map(name).collect::<Option<_>>().ok_or("a `%` in it escapes nothing")?;
    if names.len() > MAX_DEPTH { Err(format!("deeper than {MAX_DEPTH}")) } else { Ok(names) }
}

fn name(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(String::from_utf8(bytes).ok()?.replace("~1", "/").replace("~0", "~"))
}

impl<'a> Node<'a> {
    /// A document below the names of its folders.
    pub(super) fn mounted(mount: &[String], text: &'a str) -> Result<Self, String> {
        let document = Self::Raw(serde_json::from_str(text).map_err(|error| error.to_string())?);
        Ok(mount.iter().rev().fold(document, |inner, name| Self::Object(BTreeMap::from([(name.clone(), inner)]))))
    }

    /// Adds what is in another. Both may have a member only if both have an object there, as in OPA.
    pub(super) fn merge(&mut self, other: Self, depth: usize) -> Result<(), String> {
        let conflict = || "conflicts with other data; give each value one home".to_owned();
        if depth > MAX_DEPTH {
            return Err(format!("shares objects with other data that are deeper than {MAX_DEPTH}"));
        }
        let mut other = other;
        self.open()?;
        other.open()?;
        let (Self::Object(members), Self::Object(others)) = (self, other) else { return Err(conflict()) };
        for (name, value) in others {
            match members.get_mut(&name) {
                None => {
                    members.insert(name, value);
                }
                Some(member) => {
                    member.merge(value, depth + 1).map_err(|cause| format!("`{}`: {cause}", name.escape_debug()))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn is_object(&mut self) -> Result<bool, String> {
        self.open()?;
        Ok(matches!(self, Self::Object(_)))
    }

    /// Sets a member, and makes the objects that it is in; or puts a value into an array, before the one of that index.
    pub(super) fn upsert(&mut self, path: &[String], value: Self) -> Result<(), String> {
        let Some((last, above)) = path.split_last() else { return self.replace(path, value) };
        let mut at = self;
        for name in above {
            at.open()?;
            at = match at {
                Self::Object(members) => members.entry(name.clone()).or_default(),
                Self::Array(members) => member(members, name)?,
                Self::Raw(_) => return Err(missing(name)),
            };
        }
        at.open()?;
        match at {
            Self::Object(members) => {
                members.insert(last.clone(), value);
            }
            Self::Array(members) if last == "-" || index(last) == Some(members.len()) => members.push(value),
            Self::Array(members) => {
                let index = index(last).filter(|index| *index < members.len()).ok_or_else(|| missing(last))?;
                members.insert(index, value);
            }
            Self::Raw(_) => return Err(missing(last)),
        }
        Ok(())
    }

    /// Replaces what is there.
    pub(super) fn replace(&mut self, path: &[String], mut value: Self) -> Result<(), String> {
        if path.is_empty() && !value.is_object()? {
            return Err("all of the data is an object".to_owned());
        }
        *self.find(path)? = value;
        Ok(())
    }

    /// Removes what is there.
    pub(super) fn remove(&mut self, path: &[String]) -> Result<(), String> {
        let (last, above) = path.split_last().ok_or("all of the data can't be removed; replace it by `{}`")?;
        let at = self.find(above)?;
        at.open()?;
        let found = match at {
            Self::Object(members) => members.remove(last).is_some(),
            Self::Array(members) => {
                let found = index(last).filter(|index| *index < members.len());
                found.map(|index| members.remove(index)).is_some()
            }
            Self::Raw(_) => false,
        };
        if found { Ok(()) } else { Err(missing(last)) }
    }

    fn find(&mut self, path: &[String]) -> Result<&mut Self, String> {
        let mut at = self;
        for name in path {
            at.open()?;
            at = match at {
                Self::Object(members) => members.get_mut(name).ok_or_else(|| missing(name))?,
                Self::Array(members) => member(members, name)?,
                Self::Raw(_) => return Err(missing(name)),
            };
        }
        Ok(at)
    }

    /// Takes an object or an array apart; anything else stays.
    pub(super) fn open(&mut self) -> Result<(), String> {
        if let Self::Raw(text) = self {
            let text: &'a str = text.get();
            let unread = |error: serde_json::Error| error.to_string();
            if text.starts_with('{') {
                let members: BTreeMap<String, &'a RawValue> = serde_json::from_str(text).map_err(unread)?;
                *self = Self::Object(members.into_iter().map(|(name, value)| (name, Self::Raw(value))).collect());
            } else if text.starts_with('[') {
                let members: Vec<&'a RawValue> = serde_json::from_str(text).map_err(unread)?;
                *self = Self::Array(members.into_iter().map(Self::Raw).collect());
            }
        }
        Ok(())
    }
}

fn member<'t, 'a>(members: &'t mut [Node<'a>], name: &str) -> Result<&'t mut Node<'a>, String> {
    index(name).and_then(|index| members.get_mut(index)).ok_or_else(|| missing(name))
}

fn index(name: &str) -> Option<usize> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) { name.parse().ok() } else { None }
}

fn missing(name: &str) -> String {
    format!("there is no `{}`", name.escape_debug())
}
