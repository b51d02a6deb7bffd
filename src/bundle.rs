//! Bytes to a bundle: which files are policies, which are tests, and where each data document is mounted.

mod manifest;
mod package;
pub mod signing;

use std::path::Path;

use sha2::{Digest as _, Sha256};

pub use self::{
    manifest::Manifest,
    package::{File, Package},
};
use crate::decision::Digest;

/// One Rego file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Path below the bundle's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
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
        let mut hasher = Sha256::new();
        for (path, bytes) in files {
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let format = match name {
                "data.json" => Some(Format::Json),
                "data.yaml" | "data.yml" => Some(Format::Yaml),
                _ if Path::new(name).extension().is_some_and(|extension| extension == "rego") => None,
                _ => continue,
            };
            let served = !name.ends_with("_test.rego");
            if served {
                for part in [path.as_bytes(), &bytes] {
                    hasher.update((part.len() as u64).to_le_bytes());
                    hasher.update(part);
                }
            }
            let mount = folders.split('/').filter(|folder| !folder.is_empty()).map(str::to_owned).collect();
            let text = match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => return Err(InvalidBundle { at: error.utf8_error().valid_up_to(), path }),
            };
            match format {
                Some(format) => bundle.data.push(Document { path, mount, format, text }),
                None if served => bundle.modules.push(Module { path, text }),
                None => bundle.tests.push(Module { path, text }),
            }
        }
        bundle.digest = Digest(hasher.finalize().into());
        Ok(bundle)
    }

    /// Bytes of text in all.
    #[must_use]
    pub fn size(&self) -> usize {
        let modules = self.modules.iter().map(|module| module.text.len());
        modules.chain(self.data.iter().map(|document| document.text.len())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        Bundle::from_files(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))).unwrap()
    }

    #[test]
    fn tells_policies_tests_and_data_apart() {
        let bundle = bundle(&[
            ("a/p.rego", "package a"),
            ("a/p_test.rego", "package a_test"),
            ("a/b/data.yaml", "x: 1"),
            ("data.json", "{}"),
            ("notes.md", "# no"),
        ]);
        assert_eq!(bundle.modules.len(), 1);
        assert_eq!(bundle.tests.len(), 1);
        assert_eq!(bundle.data.iter().map(|document| document.mount.join(".")).collect::<Vec<_>>(), ["a.b", ""]);
    }

    #[test]
    fn hashes_what_is_served_and_nothing_else() {
        let one = bundle(&[("a.rego", "package a"), ("b.rego", "package b")]).digest;
        assert_eq!(
            one,
            bundle(&[("b.rego", "package b"), ("a.rego", "package a"), ("a_test.rego", "package t")]).digest
        );
        assert_ne!(one, bundle(&[("a.rego", "package a"), ("b.rego", "package c")]).digest);
        assert_ne!(one, bundle(&[("a.regob.rego", "package apackage b")]).digest);
    }
}
