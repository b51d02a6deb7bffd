//! Policies from folders and files that the command line names.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use verdict::{
    bundle::Bundle,
    policy::{Fault, Faults},
};

/// Policies read, and the files that are none.
pub(super) struct Read {
    /// What could be read.
    pub(super) bundle: Bundle,
    /// One for each file that is not UTF-8.
    pub(super) faults: Vec<Fault>,
}

// SEAM: to become `source::File`.
struct File {
    path: String,
    bytes: Vec<u8>,
}

/// Reads each of `paths` as a root of `data`. Files are named as the shell would find them: `policies/a.rego`.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Read> {
    let mut read = Read { bundle: Bundle::default(), faults: Vec::new() };
    for root in paths {
        let one = read_one(root)?;
        let name = |path: &mut String| {
            // A single file is its own path.
            *path = if root.is_dir() { root.join(&*path) } else { root.clone() }.to_string_lossy().into_owned();
        };
        let Bundle { mut modules, mut tests, mut data, digest: _ } = one.bundle;
        modules.iter_mut().chain(&mut tests).for_each(|module| name(&mut module.path));
        data.iter_mut().for_each(|document| name(&mut document.path));
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
    Ok(read)
}

/// Reads one folder or file, its files named by their paths below it.
pub(super) fn read_one(root: &Path) -> anyhow::Result<Read> {
    let files = read_folder(root)?;
    if files.is_empty() {
        bail!("`{}` has no policies; they are files that end in `.rego`, at any depth", root.display());
    }
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
                faults.push(
                    Fault::new("encoding_error", cause).help("save the file as UTF-8").at(&path, &text, line, 1, 1),
                );
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

// SEAM: to become `source::read_folder`, for folders; a single file stays here.
fn read_folder(root: &Path) -> anyhow::Result<Vec<File>> {
    let context = |path: &Path| format!("cannot read `{}`", path.display());
    if root.is_file() {
        let path = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(vec![File { path, bytes: std::fs::read(root).with_context(|| context(root))? }]);
    }
    let mut files = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| context(&folder))? {
            let path = entry.with_context(|| context(&folder))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(".rego") || ["data.json", "data.yaml", "data.yml"].contains(&name.as_str()) {
                let bytes = std::fs::read(&path).with_context(|| context(&path))?;
                let below = path.strip_prefix(root).unwrap_or(&path);
                let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                files.push(File { path: parts.join("/"), bytes });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}
