//! Whether a chained log is as it was written: nothing changed, missing, moved or cut off.

use std::{fs, ops::ControlFlow, path::Path};

use serde::Deserialize;

use super::{
    chain::{CHECKPOINT, GENESIS, Gap, Verifier, hash, hex, signed},
    head::{Head, Vouched},
    read::{self, Files, Line, ReadError},
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
    gap: Option<Gap>,
    chain: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    seq: u64,
    prev: String,
}

/// The most faults that are told one by one.
const MOST: usize = 100;

/// How often a log is read anew whose files changed meanwhile.
const TRIES: usize = 5;

struct Check<'v> {
    keys: &'v [Verifier],
    report: Report,
    /// What the next line must say.
    expected: Option<(u64, [u8; 32])>,
    before: String,
    /// What the head says, or why it says nothing.
    head: Result<Option<Head>, String>,
    /// Whether the line that the head names was read, and is as it says; so is one that follows it, where it is gone.
    headed: Option<bool>,
}

/// Checks the log whose file is `path`, with the full ones beside it. Without keys, signatures are not looked at. It may be
/// written to and rotated meanwhile.
pub fn verify(path: &Path, keys: &[Verifier]) -> Result<Report, ReadError> {
    let mut tries = 1;
    loop {
        // Whatever it names is in the files already; what comes after it may be read, too.
        let head = read_head(path);
        // A spool has neither files nor a head.
        let files = if path.to_string_lossy().contains(".redb") { None } else { Some(read::files(path)?) };
        let checked = check(path, files.as_ref(), keys, head);
        let fine = checked.as_ref().is_ok_and(|report| report.faults.is_empty());
        if fine || tries == TRIES || files.is_none_or(|files| !files.changed(path)) {
            return checked;
        }
        tries += 1;
    }
}

fn check(
    path: &Path,
    files: Option<&Files>,
    keys: &[Verifier],
    head: Result<Option<Head>, String>,
) -> Result<Report, ReadError> {
    let report = Report { signatures: !keys.is_empty(), ..Report::default() };
    let mut check = Check { keys, report, expected: None, before: String::new(), head, headed: None };
    let mut each = |line: Line<'_>| {
        check.line(line);
        ControlFlow::Continue(())
    };
    match files {
        Some(files) => files.lines(&mut each)?,
        None => read::lines(path, &mut each)?,
    }
    check.head(&read::head(path).display().to_string());
    Ok(check.report)
}

fn read_head(path: &Path) -> Result<Option<Head>, String> {
    match fs::read_to_string(read::head(path)) {
        Ok(text) => Head::read(&text).map(Some).ok_or_else(|| "is not what is written there".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("can't be read: {error}")),
    }
}

impl Check<'_> {
    fn line(&mut self, line: Line<'_>) {
        let place = format!("{}:{}", line.file.display(), line.number);
        if !line.whole {
            self.fault(&place, "the file ends in the middle of this line".to_owned());
            return;
        }
        let read = serde_json::from_slice::<Read>(line.bytes).ok();
        let Some(Read { schema, key, gap, chain: Some(Link { seq, prev }) }) = read else {
            self.fault(&place, "this line is no record of a chain".to_owned());
            self.expected = self.expected.map(|(seq, _)| (seq.saturating_add(1), hash(line.bytes)));
            self.before = place;
            return;
        };
        self.follows(&place, seq, &prev);
        let hash = hash(line.bytes);
        self.meets_head(seq, &prev, &hash);
        if schema == CHECKPOINT {
            self.checkpoint(&place, line.bytes, &key);
            if let Some(gap) = gap {
                self.fault(&place, told(gap));
            }
        } else {
            self.report.records += 1;
            self.report.unsealed += 1;
        }
        self.report.last = seq;
        self.expected = Some((seq.saturating_add(1), hash));
        self.before = place;
    }

    fn meets_head(&mut self, seq: u64, prev: &str, found: &[u8; 32]) {
        let Ok(Some(head)) = &self.head else { return };
        if seq == head.seq {
            self.headed = Some(*found == head.hash);
        } else if seq == head.seq + 1 && self.headed.is_none() {
            // Where no full file is kept, it is gone.
            self.headed = Some(prev == hex(&head.hash)).filter(|follows| *follows);
        }
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

    fn checkpoint(&mut self, place: &str, bytes: &[u8], key: &str) {
        self.report.checkpoints += 1;
        self.report.unsealed = 0;
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
    fn head(&mut self, place: &str) {
        let head = match &self.head {
            Ok(Some(head)) => head.clone(),
            Ok(None) if self.report.checkpoints == 0 => return,
            Ok(None) => return self.fault(place, "the head of the chain is gone".to_owned()),
            Err(why) => return self.fault(place, format!("the head of the chain {why}")),
        };
        if !self.keys.is_empty() {
            let doubt = match head.vouched(self.keys) {
                Vouched::Yes => None,
                Vouched::Unsigned => Some("is not signed: an earlier version wrote it, or somebody else"),
                Vouched::Stranger => Some("is signed by a key that was not given"),
                Vouched::Forged => Some("has a signature that is not that of its key"),
            };
            if let Some(doubt) = doubt {
                self.fault(place, format!("the head of the chain {doubt}"));
            }
        }
        match self.headed {
            Some(true) => {}
            // Nothing is sealed yet.
            _ if head.seq == 0 => {}
            Some(false) => self.fault(place, format!("line {} is another one than the head says", head.seq)),
            None => {
                let seq = head.seq;
                self.fault(place, format!("the chain was sealed up to line {seq}, and that checkpoint is gone"));
            }
        }
    }

    fn fault(&mut self, place: &str, problem: String) {
        if self.report.faults.len() < MOST {
            self.report.faults.push(Fault { place: place.to_owned(), problem });
        }
    }
}

/// What a checkpoint says of the file that it found.
fn told(Gap { sealed, found }: Gap) -> String {
    match sealed {
        None => "when a server was started here, the chain's head was gone, or none that it had written: \
                 whether lines were cut off is not known"
            .to_owned(),
        Some(sealed) if sealed > found => format!(
            "when a server was started here, the log ended at line {found}, and had been sealed up to line {sealed}: \
             what is between was cut off, moved away or lost"
        ),
        Some(sealed) => format!("when a server was started here, line {sealed} was another one than had been sealed"),
    }
}
