//! A log's lines in their order, wherever they are: the file that is written to, full ones beside it, compressed or not,
//! and a spool that no server has open.

use std::{
    io::{self, BufRead as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
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

/// The files of a log, in their order. What is named with its own number or compressed is read alone.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let found = sink::find(path).map_err(|error| failed(path, &format!("can't be looked for: {error}")))?;
    if found.is_empty() {
        return Err(failed(path, "is not there"));
    }
    Ok(found.into_iter().map(|file| file.path).collect())
}

/// Where the head of a log's chain is kept.
#[must_use]
pub fn head(path: &Path) -> PathBuf {
    sink::head_name(path)
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
    for file in files(path)? {
        if lines_of(&file, each).map_err(|error| failed(&file, &format!("can't be read: {error}")))?.is_break() {
            break;
        }
    }
    Ok(())
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

fn lines_of(file: &Path, each: &mut dyn FnMut(Line<'_>) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
    let mut reader = sink::lines(file)?;
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        number += 1;
        let (bytes, whole) = line.strip_suffix(b"\n").map_or((line.as_slice(), false), |bytes| (bytes, true));
        if each(Line { file, number, bytes, whole }).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}

fn failed(path: &Path, cause: &str) -> ReadError {
    ReadError { path: path.display().to_string(), cause: cause.to_owned() }
}
