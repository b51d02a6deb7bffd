//! Whether a chained log is as it was written: nothing changed, missing, moved or cut off.

use std::{fs, ops::ControlFlow, path::Path};

use serde::Deserialize;

use super::{
    chain::{CHECKPOINT, GENESIS, Verifier, hash, hex, signed},
    read::{self, Line, ReadError},
};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Records.
    pub records: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// The number of the first line; more than 1 where earlier files are gone.
    pub first: u64,
    /// The number of the last line.
    pub last: u64,
    /// Records after the last checkpoint, which nothing vouches for yet.
    pub unsealed: u64,
    /// Whether signatures were checked.
    pub signatures: bool,
    /// What is wrong, in order.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, and the line's number in it.
    pub place: String,
    /// What is wrong.
    pub problem: String,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    schema: String,
    #[serde(default)]
    key: String,
    chain: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    seq: u64,
    prev: String,
}

/// The most faults that are told one by one.
const MOST: usize = 100;

struct Check<'v> {
    keys: &'v [Verifier],
    report: Report,
    /// What the next line must say.
    expected: Option<(u64, [u8; 32])>,
    before: String,
    sealed: Option<(u64, [u8; 32])>,
}

/// Checks the log whose file is `path`, with the full ones beside it. Without keys, signatures are not looked at.
pub fn verify(path: &Path, keys: &[Verifier]) -> Result<Report, ReadError> {
    let report = Report { signatures: !keys.is_empty(), ..Report::default() };
    let mut check = Check { keys, report, expected: None, before: String::new(), sealed: None };
    read::lines(path, &mut |line| {
        check.line(line);
        ControlFlow::Continue(())
    })?;
    check.head(path);
    Ok(check.report)
}

impl Check<'_> {
    fn line(&mut self, line: Line<'_>) {
        let place = format!("{}:{}", line.file.display(), line.number);
        if !line.whole {
            self.fault(&place, "the file ends in the middle of this line".to_owned());
            return;
        }
        let read = serde_json::from_slice::<Read>(line.bytes).ok();
        let Some(Read { schema, key, chain: Some(Link { seq, prev }) }) = read else {
            self.fault(&place, "this line is no record of a chain".to_owned());
            self.expected = self.expected.map(|(seq, _)| (seq + 1, hash(line.bytes)));
            self.before = place;
            return;
        };
        self.follows(&place, seq, &prev);
        if schema == CHECKPOINT {
            self.checkpoint(&place, line.bytes, &key, seq);
        } else {
            self.report.records += 1;
            self.report.unsealed += 1;
        }
        self.report.last = seq;
        self.expected = Some((seq + 1, hash(line.bytes)));
        self.before = place;
    }

    fn follows(&mut self, place: &str, seq: u64, prev: &str) {
        let Some((expected, before)) = self.expected else {
            self.report.first = seq;
            if seq == 1 && prev != hex(&GENESIS) {
                self.fault(place, "the first line of a chain names a line before it".to_owned());
            }
            return;
        };
        match seq.cmp(&expected) {
            std::cmp::Ordering::Greater => {
                let missing = seq - expected;
                let lines = if missing == 1 { "a line is" } else { "lines are" };
                self.fault(place, format!("{missing} {lines} missing before this one"));
            }
            std::cmp::Ordering::Less => {
                self.fault(
                    place,
                    format!("this is line {seq} of the chain, where {expected} belongs: moved, or twice"),
                );
            }
            std::cmp::Ordering::Equal if prev != hex(&before) => {
                let changed = std::mem::take(&mut self.before);
                self.fault(&changed, "this line was changed: the next one names another".to_owned());
            }
            std::cmp::Ordering::Equal => {}
        }
    }

    fn checkpoint(&mut self, place: &str, bytes: &[u8], key: &str, seq: u64) {
        self.report.checkpoints += 1;
        self.report.unsealed = 0;
        self.sealed = Some((seq, hash(bytes)));
        if self.keys.is_empty() {
            return;
        }
        let signed = std::str::from_utf8(bytes).ok().and_then(signed);
        match (self.keys.iter().find(|known| known.id() == key), signed) {
            (None, _) => self.fault(place, "the checkpoint is signed by a key that was not given".to_owned()),
            (Some(known), Some((body, signature))) if known.verifies(body.as_bytes(), signature) => {}
            (Some(_), _) => self.fault(place, "the checkpoint's signature is not that of its key".to_owned()),
        }
    }

    /// The head says how far the chain was sealed: what ends before was cut.
    fn head(&mut self, path: &Path) {
        let head = read::head(path);
        let place = head.display().to_string();
        let text = match fs::read_to_string(&head) {
            Ok(text) => text,
            Err(_) if self.report.checkpoints == 0 => return,
            Err(error) => return self.fault(&place, format!("the head of the chain can't be read: {error}")),
        };
        let said = text.trim().split_once(' ').and_then(|(seq, hash)| Some((seq.parse::<u64>().ok()?, hash)));
        let Some((seq, hash)) = said else {
            return self.fault(&place, "the head of the chain is not what is written there".to_owned());
        };
        match self.sealed {
            Some((last, last_hash)) if last == seq && hex(&last_hash) == hash => {}
            // Between a checkpoint and its head the process may have ended.
            Some((last, _)) if last > seq => {}
            Some((last, _)) if last == seq => {
                self.fault(&place, format!("the checkpoint {seq} is another one than the head says"));
            }
            _ => self.fault(&place, format!("the chain was sealed up to line {seq}, and that checkpoint is gone")),
        }
    }

    fn fault(&mut self, place: &str, problem: String) {
        if self.report.faults.len() < MOST {
            self.report.faults.push(Fault { place: place.to_owned(), problem });
        }
    }
}
