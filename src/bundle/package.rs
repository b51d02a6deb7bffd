//! One bundle, unpacked: its files as they are, and its manifest.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{
    archive::{self, InvalidArchive, Limits},
    manifest::Manifest,
};
use crate::decision::Digest;

/// The manifest's path.
pub(super) const MANIFEST: &str = ".manifest";
/// The signatures' path.
pub(super) const SIGNATURES: &str = ".signatures.json";
/// The path of what makes a bundle a delta.
pub(super) const PATCH: &str = "patch.json";
/// The largest manifest: 512 KiB. What is read of it may take a hundred times as much memory.
pub(super) const MAX_MANIFEST: usize = 512 << 10;

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
    /// A bundle of the files of a folder, which get the same checks as those of an archive.
    pub fn from_files(files: impl IntoIterator<Item = File>) -> Result<Self, InvalidArchive> {
        let limits = Limits { depth: usize::MAX, ..Limits::default() };
        let mut files: Vec<File> = files.into_iter().collect();
        for file in &mut files {
            let plain = archive::plain(file.path.as_bytes(), false, &limits)?;
            file.path = plain;
        }
        files.sort();
        let same = files.windows(2).find_map(|pair| match pair {
            [one, other] if one.path == other.path => Some(one.path.clone()),
            _ => None,
        });
        if let Some(path) = same.or_else(|| archive::twice(files.iter().map(|file| file.path.as_str()))) {
            return Err(InvalidArchive::Duplicate { path });
        }
        let manifest = files.iter().find(|file| file.path == MANIFEST).map(|file| file.bytes.as_slice());
        let manifest = check(files.iter().map(|file| file.path.as_str()), manifest)?;
        let signatures = files.iter().position(|file| file.path == SIGNATURES).map(|at| files.remove(at).bytes);
        Ok(Self { manifest, files, signatures })
    }

    /// The file with this path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether it changes the data of another bundle, instead of being one.
    #[must_use]
    pub fn is_delta(&self) -> bool {
        self.file(PATCH).is_some()
    }

    /// What the names and bytes of all files hash to, the signatures included.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Sha256::new();
        for (path, bytes) in self.all() {
            for part in [path.as_bytes(), bytes] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Digest(hasher.finalize().into())
    }

    /// The names and bytes of all files, sorted by path; then the signatures.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter().map(|file| (file.path.as_str(), file.bytes.as_slice()));
        files.chain(self.signatures.iter().map(|bytes| (SIGNATURES, bytes.as_slice())))
    }
}

/// Whether a file of this path is Rego.
pub(super) fn is_policy(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rego")
}

/// What a bundle of files of these names and this manifest has wrong with it, or what its manifest says.
pub(super) fn check<'a>(
    paths: impl Iterator<Item = &'a str>,
    manifest: Option<&[u8]>,
) -> Result<Manifest, InvalidArchive> {
    let (mut policies, mut compiled) = (false, None);
    for path in paths {
        let name = path.rsplit('/').next().unwrap_or(path);
        let misplaced = |cause| Err(InvalidArchive::Name { path: path.to_owned(), cause });
        match name {
            "policy.wasm" => compiled = Some("compiled to WebAssembly"),
            "plan.json" | "plan.pb" => compiled = Some("compiled to a plan"),
            _ if name.ends_with(".manifest.pb") => {
                let cause = "it is written as a protocol buffer, which is not supported; build it without that option";
                return Err(InvalidArchive::Manifest { cause: cause.to_owned() });
            }
            // OPA takes any file so named for the manifest, and what it says would be overlooked here.
            _ if path != MANIFEST && name.to_ascii_lowercase().ends_with(MANIFEST) => {
                return misplaced("a manifest is named `.manifest` and lies in the bundle's root");
            }
            _ if path != SIGNATURES && name.eq_ignore_ascii_case(SIGNATURES) => {
                return misplaced("signatures are named `.signatures.json` and lie in the bundle's root");
            }
            _ if path != PATCH && name.eq_ignore_ascii_case(PATCH) => {
                return misplaced("a delta's `patch.json` lies in the bundle's root");
            }
            _ => policies |= is_policy(path),
        }
    }
    let manifest = manifest.map(Manifest::parse).transpose()?.unwrap_or_default();
    if !manifest.wasm.is_empty() {
        compiled = Some("compiled to WebAssembly");
        policies = false; // `opa build` takes the rules that it compiles out of the text
    }
    match compiled.filter(|_| !policies) {
        Some(found) => Err(InvalidArchive::Compiled { found }),
        None => Ok(manifest),
    }
}
