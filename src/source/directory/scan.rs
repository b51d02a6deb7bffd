//! The list of a folder's files, and of every place where a change could change it. Reads no content.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{self, Component, Path, PathBuf},
};

use crate::source::{Error, is_hidden, is_policy};

/// As many links in a row as Linux follows.
const LINKS: usize = 40;

pub(super) const LIMITS: Limits = Limits { entries: 100_000, bytes: 256 * 1024 * 1024, depth: 64 };

pub(super) struct Limits {
    /// Of files, and of folders.
    pub(super) entries: usize,
    pub(super) bytes: u64,
    pub(super) depth: usize,
}

/// What to watch: folders, none of them reached through a link, and what matters in each.
pub(in crate::source) type Watches = BTreeMap<PathBuf, Interest>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Interest {
    /// Policies may appear in it.
    pub(super) content: bool,
    /// The way to the policies leads through these, whatever they are called.
    pub(super) names: BTreeSet<OsString>,
}

/// Two equal scans: nothing was added, removed, replaced or written in between, as far as metadata can tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) files: Vec<Entry>,
    pub(super) watches: Watches,
    folders: Vec<Id>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) stamp: Stamp,
}

/// Which file it is, and when it was last written. The change time betrays even a write that puts the modification
/// time back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct Stamp {
    id: Id,
    pub(in crate::source) size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Device and inode.
type Id = (u64, u64);

struct Walk<'a> {
    root: &'a Path,
    limits: &'a Limits,
    scan: Scan,
    bytes: u64,
    /// The folders that the walk is in, so that a link to one of them is not followed for ever.
    within: Vec<Id>,
}

impl Scan {
    /// Lists a folder. After a failure too, the watches are those that see it end.
    pub(super) fn of(root: &Path, limits: &Limits) -> (Self, Result<(), Error>) {
        let mut walk = Walk { root, limits, scan: Self::default(), bytes: 0, within: Vec::new() };
        let found = walk.start();
        let mut scan = walk.scan;
        scan.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        scan.folders.sort_unstable();
        (scan, found)
    }
}

impl Stamp {
    pub(in crate::source) fn of(metadata: &Metadata) -> Self {
        Self {
            id: id(metadata),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Walk<'_> {
    fn start(&mut self) -> Result<(), Error> {
        let absolute = path::absolute(self.root).map_err(|cause| failed(self.root, cause))?;
        let missing = || Error::Missing { path: self.root.to_owned() };
        let real = trail(PathBuf::new(), &absolute, &mut self.scan.watches).ok_or_else(missing)?;
        let metadata = match fs::metadata(&real) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
            other => other.map_err(|cause| failed(self.root, cause))?,
        };
        if !metadata.is_dir() {
            return Err(Error::NotFolder { path: self.root.to_owned() });
        }
        self.folder(&real, "", &metadata)
    }

    /// Lists one folder: `real` is where it is, `visible` is how the path to it reads below the root.
    fn folder(&mut self, real: &Path, visible: &str, metadata: &Metadata) -> Result<(), Error> {
        let id = id(metadata);
        if self.within.contains(&id) {
            return Ok(());
        }
        if self.within.len() > self.limits.depth {
            return Err(Error::TooDeep { path: self.root.join(visible), limit: self.limits.depth });
        }
        self.scan.folders.push(id);
        self.few(self.scan.folders.len())?;
        self.scan.watches.entry(real.to_owned()).or_default().content = true;
        self.within.push(id);
        for entry in fs::read_dir(real).map_err(|cause| failed(&self.root.join(visible), cause))? {
            let name = entry.map_err(|cause| failed(&self.root.join(visible), cause))?.file_name();
            self.entry(real, visible, &name.into())?;
        }
        self.within.pop();
        Ok(())
    }

    fn entry(&mut self, parent: &Path, visible: &str, name: &PathBuf) -> Result<(), Error> {
        let lossy = name.to_string_lossy();
        if is_hidden(&lossy) {
            return Ok(());
        }
        let path = if visible.is_empty() { lossy.to_string() } else { format!("{visible}/{lossy}") };
        let full = self.root.join(visible).join(name);
        let mut real = parent.join(name);
        let mut metadata = fs::symlink_metadata(&real).map_err(|cause| failed(&full, cause))?;
        if metadata.is_symlink() {
            // A link to nothing is not passed over: it may have been a folder of policies, and to leave those out
            // could turn a deny into an allow.
            let broken = || Error::BrokenLink { path: full.clone() };
            real = trail(parent.to_owned(), name, &mut self.scan.watches).ok_or_else(broken)?;
            metadata = fs::metadata(&real).map_err(|cause| failed(&full, cause))?;
        }
        if !metadata.is_dir() && !is_policy(&lossy) {
            return Ok(());
        }
        if name.to_str().is_none() {
            return Err(Error::Name { path });
        }
        if metadata.is_dir() {
            return self.folder(&real, &path, &metadata);
        }
        if !metadata.is_file() {
            return Err(Error::NotFile { path: full });
        }
        self.scan.files.push(Entry { path, stamp: Stamp::of(&metadata) });
        self.few(self.scan.files.len())?;
        self.bytes = self.bytes.saturating_add(metadata.size());
        if self.bytes > self.limits.bytes {
            return Err(Error::TooLarge { path: self.root.to_owned(), limit: self.limits.bytes });
        }
        Ok(())
    }

    fn few(&self, entries: usize) -> Result<(), Error> {
        if entries <= self.limits.entries {
            return Ok(());
        }
        Err(Error::TooMany { path: self.root.to_owned(), limit: self.limits.entries })
    }
}

/// Follows `path` from `here` (itself free of links) to where it really is, and notes every name on the way, so that
/// a swapped link or a moved folder anywhere along it is seen. `None` if it leads nowhere; what would have to appear
/// is noted then, too.
pub(in crate::source) fn trail(mut here: PathBuf, path: &Path, watches: &mut Watches) -> Option<PathBuf> {
    let mut ahead = reversed(path);
    let mut links = 0;
    while let Some(step) = ahead.pop() {
        let step = Path::new(&step);
        match step.components().next()? {
            Component::RootDir | Component::Prefix(_) => step.clone_into(&mut here),
            Component::CurDir => {}
            Component::ParentDir => {
                here.pop();
            }
            Component::Normal(name) => {
                watches.entry(here.clone()).or_default().names.insert(name.to_owned());
                let there = here.join(name);
                match fs::read_link(&there) {
                    Ok(target) => {
                        links += 1;
                        if links > LINKS {
                            return None;
                        }
                        ahead.extend(reversed(&target));
                    }
                    Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                        return None;
                    }
                    Err(_) => here = there, // not a link
                }
            }
        }
    }
    Some(here)
}

fn reversed(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|component| component.as_os_str().to_owned()).collect()
}

fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

fn failed(path: &Path, cause: io::Error) -> Error {
    Error::Read { path: path.to_owned(), cause }
}
