//! A log's lines in their order, wherever they are: the file that is written to, full ones beside it, compressed or not,
//! and a spool that no server has open.

use std::{
    fs,
    io::{self, BufRead},
    ops::ControlFlow,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{sink, spool};

/// Why a log can't be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` {cause}")]
pub struct ReadError {
    path: String,
    cause: String,
}

/// The longest line that is read; a record is far shorter.
const LONGEST_LINE: u64 = 64 << 20;

/// How often files are listed until none is put aside meanwhile.
const LISTINGS: usize = 50;

/// How often, and how long, the end of a line is waited for that is just being written.
const WAITS: usize = 10;
const WAIT: Duration = Duration::from_millis(20);

/// A file that was written to longer ago is not being written to.
const LIVE: Duration = Duration::from_secs(5);

/// The files of a log at one moment.
#[derive(Debug)]
pub(super) struct Files {
    /// The full ones, oldest first. They may be compressed meanwhile.
    full: Vec<sink::Found>,
    /// The one that is written to. It may be put aside meanwhile.
    current: Option<(PathBuf, fs::File)>,
}

/// The files of a log. What is named with its own number or compressed is read alone.
pub(super) fn files(path: &Path) -> Result<Files, ReadError> {
    let path = real(path);
    let listed = |error: io::Error| failed(&path, &format!("can't be looked for: {error}"));
    let mut listings = 0;
    loop {
        // In this order: what is put aside in between is seen to be.
        let current = match fs::File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&path, &format!("can't be read: {error}"))),
        };
        let mut full = sink::find(&path).map_err(listed)?;
        full.retain(|file| file.number != u64::MAX);
        let still = match &current {
            Some(file) => sink::is_there(file, &path).map_err(listed)?,
            None => !path.exists(),
        };
        listings += 1;
        if still || listings == LISTINGS {
            if current.is_none() && full.is_empty() {
                return Err(failed(&path, "is not there"));
            }
            return Ok(Files { full, current: current.map(|file| (path, file)) });
        }
    }
}

impl Files {
    /// Whether others are there by now.
    pub(super) fn changed(&self, path: &Path) -> bool {
        let numbers = |files: &Self| files.full.iter().map(|file| file.number).collect::<Vec<_>>();
        let there = |files: &Self| files.current.as_ref().map(|(path, file)| sink::is_there(file, path).ok());
        files(path)
            .is_ok_and(|now| numbers(&now) != numbers(self) || there(self).is_some_and(|there| there != Some(true)))
    }

    /// Gives every line, oldest first.
    pub(super) fn lines(&self, each: &mut dyn FnMut(Line<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        for found in &self.full {
            let read = |error| failed(&found.path, &format!("can't be read: {error}"));
            let (path, file) = open_full(&found.path).map_err(read)?;
            let reader = sink::unpack(file, &path).map_err(read)?;
            if lines_of(&found.path, reader, None, each).map_err(read)?.is_break() {
                return Ok(());
            }
        }
        if let Some((path, file)) = &self.current {
            let read = |error| failed(path, &format!("can't be read: {error}"));
            let reader = file.try_clone().and_then(|file| sink::unpack(file, path)).map_err(read)?;
            let _ = lines_of(path, reader, Some(file), each).map_err(read)?;
        }
        Ok(())
    }
}

/// Opens a full file, which may have another ending by now.
fn open_full(path: &Path) -> io::Result<(PathBuf, fs::File)> {
    let text = path.to_string_lossy();
    let bare = text.strip_suffix(".gz").or_else(|| text.strip_suffix(".zst")).unwrap_or(&text);
    let mut first = None;
    for name in [path.to_owned(), format!("{bare}.gz").into(), format!("{bare}.zst").into()] {
        match fs::File::open(&name) {
            Ok(file) => return Ok((name, file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => first = first.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(first.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// Where a log is, whatever links lead there: the full ones and the head are beside it.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Where the head of a log's chain is kept.
#[must_use]
pub fn head(path: &Path) -> PathBuf {
    sink::head_name(&real(path))
}

/// Gives every line of a log, oldest first, with its file and its number there.
pub fn lines(path: &Path, each: &mut dyn FnMut(Line<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
    // Also one that was put aside.
    if path.file_name().is_some_and(|name| name.to_string_lossy().contains(".redb")) {
        let records = spool::contents(path).map_err(|cause| failed(path, &format!("can't be read: {cause}")))?;
        for record in records.iter() {
            let line = Line { file: path, number: record.number, bytes: record.line, whole: true };
            if each(line).is_break() {
                break;
            }
        }
        return Ok(());
    }
    files(path)?.lines(each)
}

/// One line of a log.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The file that has it.
    pub file: &'a Path,
    /// Its number there, from 1; of a spool, the record's number.
    pub number: u64,
    /// What it is, without its end.
    pub bytes: &'a [u8],
    /// Whether its end is there.
    pub whole: bool,
}

/// Gives the lines of a file; if it is `live`, its last one may be just being written.
fn lines_of(
    file: &Path,
    mut reader: Box<dyn BufRead>,
    live: Option<&fs::File>,
    each: &mut dyn FnMut(Line<'_>) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        let mut waits = 0;
        while !line.ends_with(b"\n") && waits < WAITS && live.is_some_and(is_written_to) {
            thread::sleep(WAIT);
            waits += 1;
            io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut line)?;
        }
        number += 1;
        let (bytes, whole) = line.strip_suffix(b"\n").map_or((line.as_slice(), false), |bytes| (bytes, true));
        if each(Line { file, number, bytes, whole }).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}

fn is_written_to(file: &fs::File) -> bool {
    let since = file.metadata().and_then(|file| file.modified()).map(|modified| modified.elapsed().unwrap_or_default());
    since.is_ok_and(|since| since < LIVE)
}

fn failed(path: &Path, cause: &str) -> ReadError {
    ReadError { path: path.display().to_string(), cause: cause.to_owned() }
}
