//! Deltas: bundles that change the data of another (OPA's documentation, "Delta Bundles").

mod tree;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::tree::Node;
use super::{
    Document, Format, Manifest,
    archive::is_known,
    package::{File, MANIFEST, PATCH, Package},
    roots::Roots,
};

/// Why a delta does not change a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDelta {
    /// It is a whole bundle.
    #[error("it has no `patch.json`, so it is no delta")]
    Whole,
    /// What it is to change is a delta itself.
    #[error("a delta cannot be changed by another; apply both to a whole bundle")]
    OfDelta,
    /// It has what only a whole bundle may have.
    #[error("a delta changes data only, but has `{file}`; take it out, or deliver a whole bundle")]
    Content {
        /// The file.
        file: String,
    },
    /// It says that it owns something else.
    #[error(
        "the delta's roots are {delta}, the bundle's {whole}; a delta names the same, or is made for another bundle"
    )]
    Roots {
        /// The delta's.
        delta: String,
        /// The bundle's.
        whole: String,
    },
    /// `patch.json` can't be read.
    #[error("`patch.json`: {cause}")]
    Patch {
        /// What is wrong.
        cause: String,
    },
    /// One of its operations can't be done; none is then.
    #[error("`patch.json`: operation {number}, `{op}` of `{path}`: {cause}")]
    Operation {
        /// From 1.
        number: usize,
        /// What it is to do.
        op: String,
        /// Where.
        path: String,
        /// Why it can't be done.
        cause: String,
    },
    /// The data to be changed can't be read.
    #[error("{file}: {cause}")]
    Data {
        /// The file.
        file: String,
        /// What is wrong.
        cause: String,
    },
}

/// `patch.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch<'a> {
    #[serde(borrow, default)]
    data: Option<Vec<Operation<'a>>>,
}

#[derive(Deserialize)]
struct Operation<'a> {
    op: String,
    path: String,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
}

/// `null` is a value, unlike none at all.
fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Package {
    /// The bundle that this one becomes by a delta: the data in one `data.json`, the revision and the metadata the delta's,
    /// and no signatures. Numbers stay as they are written.
    ///
    /// A delta without operations changes no data (OPA would remove all of it).
    pub fn apply(&self, delta: &Self) -> Result<Self, InvalidDelta> {
        let patch = delta.file(PATCH).ok_or(InvalidDelta::Whole)?;
        if self.is_delta() {
            return Err(InvalidDelta::OfDelta);
        }
        let stray = delta.files.iter().find(|file| is_known(&file.path) && file.path != PATCH && file.path != MANIFEST);
        if let Some(file) = stray {
            return Err(InvalidDelta::Content { file: file.path.clone() });
        }
        let (roots, named) = (self.manifest.owned(), delta.manifest.owned());
        if !roots.same(&named) {
            return Err(InvalidDelta::Roots { delta: named.to_string(), whole: roots.to_string() });
        }
        let patch: Patch<'_> = serde_json::from_slice(&patch.bytes).map_err(|error| {
            let cause = format!("{error}; it is an object with a list `data` of objects with `op`, `path` and `value`");
            InvalidDelta::Patch { cause }
        })?;
        let operations = patch.data.unwrap_or_default();
        let mut whole = Self { signatures: None, ..self.clone() };
        if !operations.is_empty() {
            whole.replace_data(&operations, &roots)?;
        }
        if !operations.is_empty() || delta.file(MANIFEST).is_some() {
            let Manifest { revision, metadata, .. } = delta.manifest.clone();
            whole.manifest = Manifest { revision, metadata, ..whole.manifest };
            let bytes = serde_json::to_vec(&whole.manifest).map_err(|error| unwritten(MANIFEST, &error))?;
            whole.put(MANIFEST, bytes);
        } else {
            whole.signatures.clone_from(&self.signatures);
        }
        Ok(whole)
    }

    fn replace_data(&mut self, operations: &[Operation<'_>], roots: &Roots) -> Result<(), InvalidDelta> {
        let documents = self.documents()?;
        let bytes = {
            let mut tree = Node::default();
            for Document { path, mount, text, .. } in &documents {
                let data = |cause: String| InvalidDelta::Data { file: path.clone(), cause };
                tree.merge(Node::mounted(mount, text).map_err(data)?, 0).map_err(data)?;
            }
            if !tree.is_object().map_err(|cause| InvalidDelta::Data { file: "data.json".to_owned(), cause })? {
                let cause = "not an object at the root of `data`".to_owned();
                return Err(InvalidDelta::Data { file: "data.json".to_owned(), cause });
            }
            for (at, operation) in operations.iter().enumerate() {
                let Operation { op, path, .. } = operation;
                operate(&mut tree, operation, roots).map_err(|cause| {
                    let (op, path) = (op.escape_debug().to_string(), path.escape_debug().to_string());
                    InvalidDelta::Operation { number: at + 1, op, path, cause }
                })?;
            }
            serde_json::to_vec(&tree).map_err(|error| unwritten("data.json", &error))?
        };
        self.files.retain(|file| !is_data(&file.path));
        self.put("data.json", bytes);
        Ok(())
    }

    /// The data documents, all as JSON.
    fn documents(&self) -> Result<Vec<Document>, InvalidDelta> {
        let files = self.files.iter().filter(|file| is_data(&file.path));
        let bundle = super::Bundle::from_files(files.map(|file| (file.path.clone(), file.bytes.clone())));
        let bundle =
            bundle.map_err(|error| InvalidDelta::Data { file: error.path.clone(), cause: error.to_string() })?;
        let as_json = |mut document: Document| {
            if document.format == Format::Yaml {
                let json = super::outside::yaml(&document.text)
                    .and_then(|from| serde_json::Value::deserialize(from).map_err(|error| error.to_string()));
                match json {
                    Ok(json) => document.text = json.to_string(),
                    Err(cause) => return Err(InvalidDelta::Data { file: document.path, cause }),
                }
            }
            Ok(document)
        };
        bundle.data.into_iter().map(as_json).collect()
    }

    fn put(&mut self, path: &str, bytes: Vec<u8>) {
        let file = File { path: path.to_owned(), bytes };
        match self.files.binary_search_by(|known| known.path.as_str().cmp(path)) {
            Ok(at) => {
                if let Some(known) = self.files.get_mut(at) {
                    *known = file;
                }
            }
            Err(at) => self.files.insert(at, file),
        }
    }
}

fn operate<'a>(tree: &mut Node<'a>, operation: &Operation<'a>, roots: &Roots) -> Result<(), String> {
    let path = tree::path(&operation.path)?;
    if !roots.own(&path) {
        return Err(format!("outside of the bundle's roots, which are {roots}"));
    }
    let value = || operation.value.map(Node::Raw).ok_or_else(|| "it has no `value`".to_owned());
    match operation.op.as_str() {
        "upsert" => tree.upsert(&path, value()?),
        "replace" => tree.replace(&path, value()?),
        "remove" => tree.remove(&path),
        _ => Err("there is no such operation; it is upsert, replace or remove".to_owned()),
    }
}

fn is_data(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("data.json" | "data.yaml" | "data.yml"))
}

fn unwritten(file: &str, error: &serde_json::Error) -> InvalidDelta {
    InvalidDelta::Data { file: file.to_owned(), cause: error.to_string() }
}

#[cfg(test)]
mod tests;
