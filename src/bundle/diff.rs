//! What differs between two bundles: files, and paths of data. Knows no Rego: which rules differ is for others to tell.

use std::collections::BTreeSet;

use super::{
    Package,
    package::{self, MANIFEST},
    tree::{self, InvalidData, MAX_DEPTH, Node},
};

/// What is new, gone and other. Lists have so many members at most as was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only in the newer one.
    pub added: Vec<String>,
    /// Only in the older one.
    pub removed: Vec<String>,
    /// In both, with another content.
    pub changed: Vec<String>,
    /// How many there are that no list had room for.
    pub more: usize,
}

/// What differs between two bundles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The members of the manifests that differ.
    pub manifest: Vec<&'static str>,
    /// Paths of `.rego` files, tests included.
    pub policies: Changes,
    /// JSON pointers (RFC 6901) into `data`, whichever files it is in. Of what is added or removed, only the top is named.
    pub data: Changes,
    /// Paths of other files.
    pub others: Changes,
}

impl Changes {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty() && self.more == 0
    }
}

impl Difference {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.manifest.is_empty() && self.policies.is_empty() && self.data.is_empty() && self.others.is_empty()
    }
}

impl Package {
    /// What is other in a `newer` one, `most` in each list.
    pub fn diff(&self, newer: &Self, most: usize) -> Result<Difference, InvalidData> {
        let mut difference = Difference { manifest: self.manifest_members(newer), ..Difference::default() };
        let paths = self.files.iter().chain(&newer.files).map(|file| file.path.as_str());
        let paths: BTreeSet<&str> = paths.filter(|path| !tree::is_data(path) && *path != MANIFEST).collect();
        for path in paths {
            let list = if package::is_policy(path) { &mut difference.policies } else { &mut difference.others };
            match (self.file(path), newer.file(path)) {
                (None, _) => push(&mut list.added, &mut list.more, path, most),
                (_, None) => push(&mut list.removed, &mut list.more, path, most),
                (Some(one), Some(other)) if one.bytes != other.bytes => {
                    push(&mut list.changed, &mut list.more, path, most);
                }
                _ => {}
            }
        }
        let (old, new) = (tree::documents(self)?, tree::documents(newer)?);
        let mut walk = Walk { found: &mut difference.data, at: String::new(), depth: 0, most };
        walk.compare(tree::merged(&old)?, tree::merged(&new)?)?;
        Ok(difference)
    }

    fn manifest_members(&self, newer: &Self) -> Vec<&'static str> {
        let (old, new) = (&self.manifest, &newer.manifest);
        let members = [
            ("revision", old.revision != new.revision),
            ("roots", old.owned() != new.owned()),
            ("rego_version", old.rego_version != new.rego_version),
            ("file_rego_versions", old.file_rego_versions != new.file_rego_versions),
            ("metadata", old.metadata != new.metadata),
        ];
        members.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}

/// Where data is compared.
struct Walk<'f> {
    found: &'f mut Changes,
    at: String,
    depth: usize,
    most: usize,
}

impl Walk<'_> {
    fn compare<'n>(&mut self, mut old: Node<'n>, mut new: Node<'n>) -> Result<(), InvalidData> {
        if let (Node::Raw(old), Node::Raw(new)) = (&old, &new)
            && old.get() == new.get()
        {
            return Ok(());
        }
        if self.depth < MAX_DEPTH {
            for node in [&mut old, &mut new] {
                node.open().map_err(|cause| InvalidData { file: "data.json".to_owned(), cause })?;
            }
        }
        match (old, new) {
            (Node::Object(old), Node::Object(mut new)) => {
                for (name, value) in old {
                    match new.remove(&name) {
                        None => self.below(&name, Walk::removed),
                        Some(other) => self.below(&name, |walk| walk.compare(value, other))?,
                    }
                }
                for name in new.keys() {
                    self.below(name, Walk::added);
                }
            }
            (Node::Array(old), Node::Array(new)) => {
                let (mut old, mut new) = (old.into_iter(), new.into_iter());
                for at in 0_usize.. {
                    let name = at.to_string();
                    match (old.next(), new.next()) {
                        (None, None) => break,
                        (Some(_), None) => self.below(&name, Walk::removed),
                        (None, Some(_)) => self.below(&name, Walk::added),
                        (Some(value), Some(other)) => self.below(&name, |walk| walk.compare(value, other))?,
                    }
                }
            }
            (Node::Raw(old), Node::Raw(new)) if text(old.get()).is_some_and(|old| Some(old) == text(new.get())) => {}
            _ => push(&mut self.found.changed, &mut self.found.more, &self.at, self.most),
        }
        Ok(())
    }

    fn added(&mut self) {
        push(&mut self.found.added, &mut self.found.more, &self.at, self.most);
    }

    fn removed(&mut self) {
        push(&mut self.found.removed, &mut self.found.more, &self.at, self.most);
    }

    fn below<T>(&mut self, name: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        self.depth += 1;
        let result = look(self);
        self.depth -= 1;
        self.at.truncate(length);
        result
    }
}

/// A string, which may be written in several ways.
fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn push(list: &mut Vec<String>, more: &mut usize, path: &str, most: usize) {
    if list.len() < most { list.push(path.to_owned()) } else { *more += 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::File;

    fn package(files: &[(&str, &str)]) -> Package {
        let files = files.iter().map(|(path, text)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() });
        Package::from_files(files).unwrap()
    }

    #[test]
    fn names_what_is_added_removed_and_changed() {
        let old = package(&[
            (".manifest", r#"{"revision": "1"}"#),
            ("a.rego", "package a"),
            ("b.rego", "package b"),
            ("data.json", r#"{"k": {"same": {"x": 1}, "n": 1, "t": "\u0061", "gone": [1], "l": [1, {"d": 2}, 3]}}"#),
            ("k/yaml/data.yaml", "x: 1"),
            ("notes.md", "1"),
        ]);
        let new = package(&[
            (".manifest", r#"{"revision": "2", "roots": [""]}"#),
            ("a.rego", "package  a"),
            ("c.rego", "package c"),
            (
                "k/data.json",
                r#"{"same":{ "x":1 },"n":1.5,"t":"a","l":[1,{"d":3,"e/~":1}],"yaml":{"x":1},"new":{"a":{"b":1}}}"#,
            ),
        ]);
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let found = old.diff(&new, 10).unwrap();
        assert_eq!(found.manifest, ["revision"]);
        let one = |added: &[&str], removed: &[&str], changed: &[&str]| Changes {
            added: list(added),
            removed: list(removed),
            changed: list(changed),
            more: 0,
        };
        assert_eq!(found.policies, one(&["c.rego"], &["b.rego"], &["a.rego"]));
        assert_eq!(found.others, one(&[], &["notes.md"], &[]));
        assert_eq!(found.data, one(&["/k/l/1/e~1~0", "/k/new"], &["/k/gone", "/k/l/2"], &["/k/l/1/d", "/k/n"]));
        assert_eq!(old.diff(&new, 1).unwrap().data.more, 3);
        assert!(old.diff(&old, 1).unwrap().is_empty());
        let same = package(&[("data.yaml", "a: [1]")]).diff(&package(&[("a/data.json", "[ 1 ]")]), 1);
        assert!(same.unwrap().is_empty());
    }
}
