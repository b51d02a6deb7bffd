//! Policies from folders and files that the command line names.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use verdict::{
    bundle::Bundle,
    policy::{Fault, Faults},
    source::{self, Embedded, File},
};

/// Policies read, and the files that are none.
pub(super) struct Read {
    /// What could be read.
    pub(super) bundle: Bundle,
    /// One for each file that is not UTF-8.
    pub(super) faults: Vec<Fault>,
}

/// Reads each of `paths` as a root of `data`. Files are named as the shell would find them: `policies/a.rego`.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Read> {
    let mut read = Read { bundle: Bundle::default(), faults: Vec::new() };
    for root in paths {
        // A single file is its own path.
        let name =
            |path: &str| if root.is_dir() { root.join(path) } else { root.clone() }.to_string_lossy().into_owned();
        let one = read_named(root, &name)?;
        let Bundle { mut modules, mut tests, mut data, digest: _, bundles: _ } = one.bundle;
        for path in modules.iter_mut().chain(&mut tests).map(|module| &mut module.path) {
            *path = name(path);
        }
        for document in &mut data {
            document.path = name(&document.path);
        }
        read.bundle.modules.extend(modules);
        read.bundle.tests.extend(tests);
        read.bundle.data.extend(data);
        read.faults.extend(one.faults);
    }
    // The same file through two of the paths is one file.
    for modules in [&mut read.bundle.modules, &mut read.bundle.tests] {
        modules.sort_by(|one, other| one.path.cmp(&other.path));
        modules.dedup_by(|one, other| one.path == other.path);
    }
    read.bundle.data.sort_by(|one, other| one.path.cmp(&other.path));
    read.bundle.data.dedup_by(|one, other| one.path == other.path && one.mount == other.mount);
    Ok(read)
}

/// Reads one folder or file, its files named by their paths below it.
pub(super) fn read_one(root: &Path) -> anyhow::Result<Read> {
    read_named(root, &str::to_owned)
}

/// Reads one folder or file; `name` says what its files are called in faults.
fn read_named(root: &Path, name: &dyn Fn(&str) -> String) -> anyhow::Result<Read> {
    sort(files(root)?, name)
}

/// The policies in the binary.
pub(super) fn embedded() -> anyhow::Result<Read> {
    sort(Embedded::files(), &str::to_owned)
}

fn sort(files: Vec<File>, name: &dyn Fn(&str) -> String) -> anyhow::Result<Read> {
    let mut faults = Vec::new();
    let mut readable = Vec::new();
    for File { path, bytes } in files {
        match std::str::from_utf8(&bytes) {
            Ok(_) => readable.push((path, bytes)),
            Err(error) => {
                let cause = format!("not UTF-8 at byte {}", error.valid_up_to());
                let text = String::from_utf8_lossy(&bytes);
                let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                faults.push(Fault::new("encoding_error", cause).help("save the file as UTF-8").at(
                    &name(&path),
                    &text,
                    line,
                    1,
                    1,
                ));
            }
        }
    }
    Ok(Read { bundle: Bundle::from_files(readable)?, faults })
}

impl Read {
    /// The bundle, if every file could be read.
    pub(super) fn whole(self) -> Result<Bundle, Faults> {
        if self.faults.is_empty() { Ok(self.bundle) } else { Err(Faults(self.faults)) }
    }
}

fn files(root: &Path) -> anyhow::Result<Vec<File>> {
    if root.is_file() {
        let path = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = std::fs::read(root).with_context(|| format!("cannot read `{}`", root.display()))?;
        return Ok(vec![File { path, bytes }]);
    }
    let files = source::read_folder(root)?;
    if files.is_empty() {
        bail!("`{}` has no policies; they are files that end in `.rego`, at any depth", root.display());
    }
    Ok(files)
}
