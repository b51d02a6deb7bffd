//! An archive to the files of a bundle: `.tar.gz`, `.tar.zst` or plain `.tar`, told by their first bytes.
//!
//! Nothing touches a disk. An archive is read twice: once keeping nothing but names, so that whatever is wrong with it
//! is found before memory is spent on its content, and then for the files.

use std::collections::BTreeSet;

mod invalid;
mod names;
mod pax;
mod stream;
mod tape;

use stream::Stream;
use tape::Tape;

pub use self::invalid::InvalidArchive;
pub(super) use self::names::{is_known, plain, twice};
use super::package::{self, File, MANIFEST, MAX_MANIFEST, Package};

/// How much an archive may be, and may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the archive itself: 256 MiB.
    pub archive_bytes: usize,
    /// Bytes when unpacked, the tar's own included: 1 GiB, as in OPA.
    pub unpacked_bytes: usize,
    /// Headers, of folders too: 32,768.
    pub entries: usize,
    /// Unpacked bytes for each byte of the archive, beyond 16 MiB: 100.
    pub ratio: usize,
    /// Names in one path: 32.
    pub depth: usize,
    /// Bytes of one path: 1,024.
    pub name_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 256 << 20,
            unpacked_bytes: 1 << 30,
            entries: 1 << 15,
            ratio: 100,
            depth: 32,
            name_bytes: 1 << 10,
        }
    }
}

/// All names together; beyond what real bundles have, and short of what hurts.
const MAX_NAMES: usize = 8 << 20;

impl Package {
    /// Reads an archive. Nothing in it is taken on trust: what is not plainly a bundle is refused, with the reason.
    ///
    /// As in OPA, one `/` before a name is left out (`opa build` writes one), several gzip members are one stream, and
    /// files that are neither policy nor data are kept, since signatures may cover them.
    pub fn read(archive: &[u8], limits: &Limits) -> Result<Self, InvalidArchive> {
        if archive.len() > limits.archive_bytes {
            return Err(InvalidArchive::TooLarge { bytes: archive.len(), limit: limits.archive_bytes });
        }
        survey(archive, limits)?;
        let mut tape = Tape::new(Stream::new(archive, limits)?, limits);
        let mut files = Vec::new();
        while let Some(entry) = tape.next_entry()? {
            let bytes = tape.content(&entry)?;
            if !entry.folder {
                files.push(File { path: entry.path, bytes });
            }
        }
        Self::from_files(files)
    }
}

/// Everything that can be known of an archive without keeping what is in it.
fn survey(archive: &[u8], limits: &Limits) -> Result<(), InvalidArchive> {
    let mut tape = Tape::new(Stream::new(archive, limits)?, limits);
    let (mut files, mut folders, mut manifest, mut names) = (BTreeSet::new(), BTreeSet::new(), None, 0);
    while let Some(entry) = tape.next_entry()? {
        names += entry.path.len();
        if names > MAX_NAMES {
            return Err(InvalidArchive::Names { limit: MAX_NAMES });
        }
        if !entry.folder && entry.path == MANIFEST {
            if entry.size > MAX_MANIFEST {
                return Err(InvalidArchive::Manifest { cause: format!("it has more than {MAX_MANIFEST} bytes") });
            }
            manifest = Some(tape.content(&entry)?);
        } else {
            tape.skip(&entry)?;
        }
        let path = entry.path;
        // A folder may be named before each of its files; a file only once.
        if !(entry.folder || !files.contains(&path) && !folders.contains(&path)) {
            return Err(InvalidArchive::Duplicate { path });
        }
        if entry.folder && files.contains(&path) {
            return Err(InvalidArchive::Duplicate { path });
        }
        if entry.folder { &mut folders } else { &mut files }.insert(path);
    }
    tape.end()?;
    if files.is_empty() {
        return Err(InvalidArchive::Empty);
    }
    if let Some(path) = twice(files.iter().map(String::as_str)) {
        return Err(InvalidArchive::Duplicate { path });
    }
    package::check(files.iter().map(String::as_str), manifest.as_deref()).map(|_| ())
}
