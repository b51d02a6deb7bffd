//! One bundle, unpacked: its files as they are, and its manifest.

use super::manifest::Manifest;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Path below the bundle's root, with `/`, and none at its start.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// One bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// What `.manifest` says; the default where there is none.
    pub manifest: Manifest,
    /// Every file, sorted by path: `.manifest` and a delta's `patch.json` too, but not `.signatures.json`.
    pub files: Vec<File>,
    /// `.signatures.json`, as it is.
    pub signatures: Option<Vec<u8>>,
}

impl Package {
    /// The file with this path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether it changes the data of another bundle, instead of being one.
    #[must_use]
    pub fn is_delta(&self) -> bool {
        self.file("patch.json").is_some()
    }
}
