//! Bytes to a bundle: which files are policies, which are tests, and where each data document is mounted.

mod archive;
mod assemble;
mod delta;
mod diff;
mod manifest;
mod outside;
mod package;
mod roots;
pub mod signing;
mod structured;
mod tree;
mod version;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

pub use self::{
    archive::{InvalidArchive, Limits},
    assemble::{InvalidSet, assemble},
    delta::InvalidDelta,
    diff::{Changes, Difference},
    manifest::Manifest,
    package::{File, Package},
    roots::Roots,
    tree::InvalidData,
    version::RegoVersion,
    write::Compression,
};
use crate::decision::Digest;

/// One Rego file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Path below the bundle's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The version of Rego that its bundle's manifest gives it.
    pub version: Option<RegoVersion>,
    /// What its bundle owns: its package must be there. `None` is all.
    pub roots: Option<Arc<Roots>>,
}

/// How a data document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `data.json`.
    Json,
    /// `data.yaml` or `data.yml`.
    Yaml,
}

/// One data document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Path below the bundle's root, with `/`.
    pub path: String,
    /// Where it is mounted below `data`: the names of its folders, as in OPA.
    pub mount: Vec<String>,
    /// How it is written.
    pub format: Format,
    /// Its text.
    pub text: String,
}

/// A policy set: everything that one snapshot is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The policies that are served.
    pub modules: Vec<Module>,
    /// The `*_test.rego` files, which are not.
    pub tests: Vec<Module>,
    /// The data.
    pub data: Vec<Document>,
    /// What it all hashes to.
    pub digest: Digest,
    /// The bundles that it was made of, with their revisions; empty for files that are no bundle.
    pub bundles: BTreeMap<String, String>,
}

/// Why files are no bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: not UTF-8 at byte {at}; save the file as UTF-8")]
pub struct InvalidBundle {
    /// The file.
    pub path: String,
    /// The first byte that is not UTF-8, from 0.
    pub at: usize,
}

impl Bundle {
    /// Sorts files by what their names say; files that are neither policy nor data are left out.
    ///
    /// The digest covers names and contents of the policies and data that are served, in the order of names.
    pub fn from_files<I>(files: I) -> Result<Self, InvalidBundle>
    where
        I: IntoIterator<Item = (String, Vec<u8>)>,
    {
        let mut files: Vec<(String, Vec<u8>)> = files.into_iter().collect();
        files.sort();
        let mut bundle = Self::default();
        for (path, bytes) in files {
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let format = match name {
                "data.json" => Some(Format::Json),
                "data.yaml" | "data.yml" => Some(Format::Yaml),
                _ if package::is_policy(&path) => None,
                _ => continue,
            };
            let served = !name.ends_with("_test.rego");
            // OPA leaves dots out at the start of the first folder.
            let folders = folders.trim_start_matches(['/', '.']);
            let mount = folders.split('/').filter(|folder| !folder.is_empty()).map(str::to_owned).collect();
            let text = match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => return Err(InvalidBundle { at: error.utf8_error().valid_up_to(), path }),
            };
            match format {
                Some(format) => bundle.data.push(Document { path, mount, format, text }),
                None if served => bundle.modules.push(Module { path, text, ..Module::default() }),
                None => bundle.tests.push(Module { path, text, ..Module::default() }),
            }
        }
        bundle.digest = bundle.hash();
        Ok(bundle)
    }

    /// Bytes of text in all.
    #[must_use]
    pub fn size(&self) -> usize {
        let modules = self.modules.iter().map(|module| module.text.len());
        modules.chain(self.data.iter().map(|document| document.text.len())).sum()
    }

    /// Adds the content of a bundle of that name.
    fn take(&mut self, name: &str, part: Self) {
        let Self { mut modules, mut tests, mut data, digest: _, bundles: _ } = part;
        let modules_and_tests = modules.iter_mut().chain(&mut tests).map(|module| &mut module.path);
        for path in modules_and_tests.chain(data.iter_mut().map(|document| &mut document.path)) {
            path.insert(0, '/');
            path.insert_str(0, name);
        }
        self.modules.extend(modules);
        self.tests.extend(tests);
        self.data.extend(data);
    }

    /// A path that two policies have: only one of them would be read.
    fn same_path(&self) -> Option<String> {
        let mut paths = BTreeSet::new();
        self.modules
            .iter()
            .chain(&self.tests)
            .find(|module| !paths.insert(&module.path))
            .map(|module| module.path.clone())
    }

    /// What is served, in the order of names, and the versions of Rego that manifests give.
    fn hash(&self) -> Digest {
        let modules = self.modules.iter().map(|module| (&module.path, &module.text));
        let data = self.data.iter().map(|document| (&document.path, &document.text));
        let mut served: Vec<(&String, &String)> = modules.chain(data).collect();
        served.sort_unstable();
        let mut hasher = Sha256::new();
        let mut add = |part: &[u8]| {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        };
        for (path, text) in served {
            add(path.as_bytes());
            add(text.as_bytes());
        }
        // No file has such a name.
        let versions = self.modules.iter().filter_map(|module| Some((&module.path, module.version?)));
        for (path, version) in versions {
            add(if version == RegoVersion::V0 { b"\0version 0" } else { b"\0version 1" });
            add(path.as_bytes());
        }
        Digest(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests;
