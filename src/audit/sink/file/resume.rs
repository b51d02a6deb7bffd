//! How far the chain of a file is, read from its end: the last line's number and hash, the last record of a spool in it, and
//! the hash of the line that the head names.

use std::{
    fs,
    io::{self, BufRead, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use serde::Deserialize;

use crate::audit::{
    chain::{CHECKPOINT, State, hash},
    sink::files::{self, Found},
};

/// What the end of a log says.
#[derive(Default)]
pub(super) struct End {
    /// The number of the first line that was read, if it is of a chain.
    first: Option<u64>,
    /// The last line: its number, if it is of a chain, and its hash.
    pub(super) last: Option<(Option<u64>, [u8; 32])>,
    /// Where that line ends in its file; 0 if the file has none.
    at: u64,
    /// Records behind the last checkpoint that was read.
    unsealed: u64,
    /// Whether there was a checkpoint.
    pub(super) sealed: bool,
    /// Whether there was a record.
    record: bool,
    /// The last record of a spool.
    pub(super) from: Option<(u64, u64)>,
    /// The hash of the line that was wanted.
    pub(super) wanted: Option<[u8; 32]>,
}

#[derive(Deserialize)]
struct Line {
    schema: Option<String>,
    chain: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    seq: u64,
    from: Option<String>,
}

/// How much of a file's end is read first; what is too little is doubled.
const TAIL: u64 = if cfg!(test) { 1 << 10 } else { 4 << 20 };

/// How many files are looked into at most: the one that is written to may be empty.
const FILES: usize = 4;

impl End {
    /// Reads the end of the files, and as far back as it takes to find the line `wanted`; and where the last line ends in
    /// the file that is written to. What is behind is no record.
    pub(super) fn read(files: &[Found], wanted: Option<u64>) -> (Self, u64) {
        let (mut end, mut whole) = (Self::default(), u64::MAX);
        for (number, file) in files.iter().rev().take(FILES).enumerate() {
            match of_file(&file.path, wanted) {
                Ok(before) if number == 0 => {
                    end = before;
                    if file.number == u64::MAX {
                        whole = end.at;
                    }
                }
                Ok(before) => end.precede(&before),
                Err(error) => {
                    tracing::error!(file = %file.path.display(), "a file of the decision log can't be read: {error}");
                    break;
                }
            }
            if end.is_enough(wanted) {
                break;
            }
        }
        (end, whole)
    }

    pub(super) fn state(&self) -> State {
        let Some((seq, prev)) = self.last else { return State::start() };
        State { seq: seq.map_or(1, |seq| seq.saturating_add(1)), prev, unsealed: self.unsealed }
    }

    /// The number of the last line; 0 if there is none.
    pub(super) fn seq(&self) -> u64 {
        self.last.and_then(|(seq, _)| seq).unwrap_or_default()
    }

    /// Adds what an earlier file has.
    fn precede(&mut self, before: &Self) {
        self.first = before.first.or(self.first);
        self.last = self.last.or(before.last);
        if !self.sealed {
            self.unsealed += before.unsealed;
        }
        self.sealed |= before.sealed;
        self.record |= before.record;
        self.from = self.from.or(before.from);
        self.wanted = self.wanted.or(before.wanted);
    }

    fn is_enough(&self, wanted: Option<u64>) -> bool {
        let known = wanted.is_none_or(|wanted| self.wanted.is_some() || self.first.is_none_or(|first| first <= wanted));
        self.last.is_some() && self.record && known
    }

    fn lines(mut reader: impl BufRead, mut at: u64, wanted: Option<u64>) -> io::Result<Self> {
        let (mut end, mut line) = (Self::default(), Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(end);
            }
            at += read as u64;
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let Ok(Line { schema, chain }) = serde_json::from_slice(text) else { continue };
            let checkpoint = schema.as_deref() == Some(CHECKPOINT);
            end.unsealed = if checkpoint { 0 } else { end.unsealed + 1 };
            end.sealed |= checkpoint;
            end.record |= !checkpoint;
            let seq = chain.as_ref().map(|link| link.seq);
            end.first = end.first.or(seq);
            end.from = chain.and_then(|link| place(&link.from?)).or(end.from);
            let hash = hash(text);
            if seq.is_some() && seq == wanted {
                end.wanted = Some(hash);
            }
            (end.last, end.at) = (Some((seq, hash)), at);
        }
    }
}

/// A spool, and a number in it.
fn place(from: &str) -> Option<(u64, u64)> {
    let (spool, number) = from.split_once('/')?;
    Some((u64::from_str_radix(spool, 16).ok()?, number.parse().ok()?))
}

fn of_file(path: &Path, wanted: Option<u64>) -> io::Result<End> {
    if path.extension().is_some_and(|extension| extension == "gz" || extension == "zst") {
        return End::lines(files::lines(path)?, 0, wanted);
    }
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    let mut tail = TAIL;
    loop {
        let begin = length.saturating_sub(tail);
        // One byte more: a line that begins just there is a whole one.
        file.seek(SeekFrom::Start(begin.saturating_sub(1)))?;
        let mut reader = io::BufReader::with_capacity(1 << 16, (&file).take(length - begin.saturating_sub(1)));
        let mut partial = Vec::new();
        let skipped = if begin > 0 { reader.read_until(b'\n', &mut partial)? as u64 + begin - 1 } else { 0 };
        let end = End::lines(reader, skipped, wanted)?;
        if begin == 0 || end.is_enough(wanted) {
            return Ok(end);
        }
        tail = tail.saturating_mul(2);
    }
}
