//! Bundles and folders that the command line names, read and written.

use std::{
    fs::{self, File as Disk},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use verdict::bundle::{Compression, File, Limits, Package};

use super::{progress, select::Selection, size};

/// Folders deeper than this are in a loop, or hold something else.
const MAX_DEPTH: usize = 64;

/// A bundle, and what its archive is compressed with; a folder has none.
pub(super) struct Read {
    pub(super) package: Package,
    pub(super) compression: Option<Compression>,
}

/// Reads an archive, or a folder that is laid out like one: every file in it.
pub(super) fn read(path: &Path) -> anyhow::Result<Read> {
    let named = || format!("`{}` is no bundle", path.display());
    if path.is_dir() {
        let package = Package::from_files(folder(path, &|_| true)?).with_context(named)?;
        return Ok(Read { package, compression: None });
    }
    let bytes = archive(path)?;
    let _step = progress::step("unpacking");
    let package = Package::read(&bytes, &Limits::default()).with_context(named)?;
    Ok(Read { package, compression: Some(compression(&bytes)) })
}

/// Reads an archive, or of a folder what `build` takes of it.
pub(super) fn read_sources(path: &Path) -> anyhow::Result<Package> {
    if !path.is_dir() {
        return Ok(read(path)?.package);
    }
    let selection = Selection::default();
    let files = folder(path, &|path| selection.takes(path))?;
    Package::from_files(files).with_context(|| format!("`{}` is no bundle", path.display()))
}

/// The bytes of an archive, unless it is larger than any that is taken.
pub(super) fn archive(path: &Path) -> anyhow::Result<Vec<u8>> {
    let unread = || format!("cannot read `{}`", path.display());
    let limit = Limits::default().archive_bytes;
    let mut bytes = Vec::new();
    let file = Disk::open(path).with_context(unread)?;
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).with_context(unread)?;
    if bytes.len() > limit {
        bail!("`{}` has more than {}, the most that a bundle may have", path.display(), size(limit));
    }
    Ok(bytes)
}

/// Every file below `root` whose path `wanted` takes, by that path. Links are followed.
pub(super) fn folder(root: &Path, wanted: &dyn Fn(&str) -> bool) -> anyhow::Result<Vec<File>> {
    let mut found = Vec::new();
    list(root, "", MAX_DEPTH, wanted, &mut found)?;
    let length = found.iter().map(|(_, _, bytes)| bytes).sum();
    let limit = u64::try_from(Limits::default().unpacked_bytes).unwrap_or(u64::MAX);
    if length > limit {
        bail!("the files in `{}` have more than {limit} bytes, the most that a bundle may have", root.display());
    }
    let step = progress::bytes("reading", length);
    let mut files = Vec::with_capacity(found.len());
    for (path, place, _) in found {
        let bytes = fs::read(&place).with_context(|| format!("cannot read `{}`", place.display()))?;
        step.done(bytes.len());
        files.push(File { path, bytes });
    }
    Ok(files)
}

fn list(
    folder: &Path,
    name: &str,
    depth: usize,
    wanted: &dyn Fn(&str) -> bool,
    found: &mut Vec<(String, PathBuf, u64)>,
) -> anyhow::Result<()> {
    let unread = || format!("cannot read `{}`", folder.display());
    if depth == 0 {
        bail!("`{}` is more than {MAX_DEPTH} folders deep; does a link lead back?", folder.display());
    }
    for entry in fs::read_dir(folder).with_context(unread)? {
        let place = entry.with_context(unread)?.path();
        let file_name = place.file_name().and_then(std::ffi::OsStr::to_str);
        let Some(file_name) = file_name else { bail!("the name `{}` is not UTF-8; rename it", place.display()) };
        let path = if name.is_empty() { file_name.to_owned() } else { format!("{name}/{file_name}") };
        let metadata = fs::metadata(&place).with_context(|| format!("cannot read `{}`", place.display()))?;
        if metadata.is_dir() {
            list(&place, &path, depth - 1, wanted, found)?;
        } else if metadata.is_file() && wanted(&path) {
            found.push((path, place, metadata.len()));
        }
        if found.len() > Limits::default().entries {
            bail!("more than {} files, the most that a bundle may have", Limits::default().entries);
        }
    }
    Ok(())
}

/// What the archive's first bytes say (RFC 1952 §2.3.1, RFC 8878 §3.1.1).
fn compression(archive: &[u8]) -> Compression {
    match archive {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        _ => Compression::None,
    }
}

/// Writes a file so that it is there whole or not at all; `-` is standard output.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return std::io::stdout().write_all(bytes).context("cannot write to standard output");
    }
    let unwritten = || format!("cannot write `{}`", path.display());
    let Some(name) = path.file_name() else { bail!("`{}` names no file", path.display()) };
    if !fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let mut beside = name.to_owned();
        beside.push(format!(".{}.part", std::process::id()));
        let beside = path.with_file_name(beside);
        let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        return written.with_context(unwritten);
    }
    // A device, a pipe or a link: what it is stays.
    fs::write(path, bytes).with_context(unwritten)
}
