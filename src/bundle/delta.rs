//! Deltas: bundles that change the data of another (OPA's documentation, "Delta Bundles").

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Manifest,
    archive::is_known,
    package::{File, MANIFEST, PATCH, Package},
    roots::Roots,
    tree::{self, InvalidData, Node},
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
    #[error(transparent)]
    Data(#[from] InvalidData),
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
        if roots != named {
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
        let documents = tree::documents(self)?;
        let mut data = tree::merged(&documents)?;
        for (at, operation) in operations.iter().enumerate() {
            let Operation { op, path, .. } = operation;
            operate(&mut data, operation, roots).map_err(|cause| {
                let (op, path) = (op.escape_debug().to_string(), path.escape_debug().to_string());
                InvalidDelta::Operation { number: at + 1, op, path, cause }
            })?;
        }
        let bytes = serde_json::to_vec(&data).map_err(|error| unwritten("data.json", &error))?;
        self.files.retain(|file| !tree::is_data(&file.path));
        self.put("data.json", bytes);
        Ok(())
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

fn unwritten(file: &str, error: &serde_json::Error) -> InvalidData {
    InvalidData { file: file.to_owned(), cause: error.to_string() }
}

#[cfg(test)]
mod tests;
