//! Full files are put aside, and another one is begun. Where that can't be done, the same one is gone on with.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

use super::{File, Opened, open};
use crate::audit::sink::{
    Failure,
    files::{find, full_name, is_there},
};

/// How long a rotation that failed is not tried again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How many names are tried for a full file: others may take some, too.
const NAMES: u64 = 100;

/// When a rotation that failed may be tried again.
#[derive(Clone, Copy, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
    length: Duration,
}

impl Pause {
    fn is_over(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() >= until)
    }

    fn begin(&mut self) {
        self.length = (self.length * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.until = Some(Instant::now() + self.length);
    }
}

impl File {
    /// Whether another file is to be begun.
    pub(super) fn is_full(&self) -> bool {
        let full = self.at.length > 0
            && (self.at.length >= self.rotation.max_bytes || self.since.elapsed() >= self.rotation.max_age);
        full && self.pause.is_over()
    }

    /// Puts the file aside, and begins another one; what stood in the way, if the same one is gone on with.
    pub(super) fn rotate(&mut self) -> Result<Option<String>, Failure> {
        self.open.sync_all().map_err(|error| self.failure("can't be written", &error))?;
        let opened = match self.put_aside() {
            Ok(opened) => opened,
            // Where the file is no longer ours, there is nothing to go on with.
            Err(cause) if is_there(&self.open, &self.path).unwrap_or_default() => {
                self.pause.begin();
                return Ok(Some(cause));
            }
            Err(cause) => return Err(Failure::new(cause)),
        };
        (self.open, self.at.length, self.since) = (opened.file, opened.length, Instant::now());
        (self.kept, self.unnamed, self.pause) = (self.at, self.sync, Pause::default());
        self.compress_full_ones();
        self.sync_name().map_err(|error| self.failure("can't be written", &error))?;
        Ok(None)
    }

    fn put_aside(&self) -> Result<Opened, String> {
        let fails = |error: io::Error| format!("`{}` can't be rotated: {error}", self.path.display());
        let found = find(&self.path).map_err(fails)?;
        let last = found.iter().rev().find(|file| file.number != u64::MAX).map_or(0, |file| file.number);
        // Else it was put aside before: the next one could not be begun then, or somebody else did it.
        if !is_there(&self.open, &self.path).map_err(fails)? {
            return open::open(&self.path, self.sync);
        }
        let mut number = last.saturating_add(1);
        let full = loop {
            let full = full_name(&self.path, number);
            match rename_to_new(&self.path, &full) {
                Ok(()) => break full,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number <= last.saturating_add(NAMES) => {
                    number += 1;
                }
                Err(error) => return Err(fails(error)),
            }
        };
        open::open(&self.path, self.sync).inspect_err(|_| {
            // Unless another one has the name by now.
            let _ = rename_to_new(&full, &self.path);
        })
    }
}

/// Renames a file, unless there is one of that name.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows how.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if !to.exists() => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(Errno::EXIST.into()),
        renamed => renamed.map_err(io::Error::from),
    }
}
