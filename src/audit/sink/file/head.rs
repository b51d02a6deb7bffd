//! The head of the chain that a file has: written after each checkpoint, and read when the file is opened, so that a start
//! does not wipe out that the log was cut.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{Failure, File, resume::End};
use crate::audit::{
    chain::{Gap, State},
    config::Chain,
    head::{self, Head, Vouched},
};

/// For how long it is not said again that a head can't be written.
const SILENCE: Duration = Duration::from_secs(60);

/// Where the head of a file's chain is kept.
pub(in crate::audit) fn head_name(path: &Path) -> PathBuf {
    beside(path, ".head")
}

/// What stands beside a file.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What is known of a head when a file is opened.
pub(super) enum Known {
    Nothing,
    /// It is there, and none of ours.
    Worthless(String),
    Head(Head),
}

/// Reads the head, and whether our key vouches for it.
pub(super) fn known(path: &Path, chain: &Chain) -> Known {
    let name = head_name(path);
    let text = match fs::read_to_string(&name) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Known::Nothing,
        Err(error) => return Known::Worthless(format!("can't be read: {error}")),
    };
    let Some(head) = Head::read(&text) else { return Known::Worthless("is not what is written there".to_owned()) };
    match head.vouched(&[chain.signer.verifier()]) {
        Vouched::Yes => {}
        Vouched::Forged => return Known::Worthless("has a signature that is not that of its key".to_owned()),
        // Its key may have been replaced, or it is of an earlier version. It is better than none.
        Vouched::Stranger | Vouched::Unsigned => {
            tracing::warn!(file = %name.display(), "the head of the chain is not signed by the key of this sink");
        }
    }
    Known::Head(head)
}

/// Where the chain goes on, and what was wrong: `none_kept` where no full file is kept, so that there may be no line.
pub(super) fn reconcile(path: &Path, known: Known, end: &End, none_kept: bool) -> (State, Option<Gap>) {
    let (state, found, file) = (end.state(), end.seq(), path.display());
    let nothing_known = Some(Gap { sealed: None, found });
    let head = match known {
        Known::Head(head) => head,
        Known::Nothing if end.sealed => {
            tracing::error!(%file, "the head of the chain is gone: whether the log's end was cut is not known");
            return (state, nothing_known);
        }
        Known::Nothing => return (state, None),
        Known::Worthless(why) => {
            tracing::error!(%file, "the head of the chain {why}: whether the log's end was cut is not known");
            return (state, nothing_known);
        }
    };
    if head.seq == 0 || end.wanted == Some(head.hash) {
        return (state, None);
    }
    let gap = Some(Gap { sealed: Some(head.seq), found });
    let goes_on = State { seq: head.seq.max(found).saturating_add(1), prev: head.hash, unsealed: 0 };
    if end.wanted.is_some() {
        tracing::error!(%file, "line {} of the decision log is another one than was sealed", head.seq);
        return (goes_on, gap);
    }
    if found > head.seq {
        // A head that could not be written for long.
        tracing::warn!(%file, "the head of the chain is far behind, at line {}: see `verdict log verify`", head.seq);
        return (state, None);
    }
    if end.last.is_none() && none_kept {
        return (goes_on, None);
    }
    tracing::error!(
        %file,
        "the decision log was sealed up to line {}, and ends at line {found}: it was cut or moved away, or the machine \
         failed before the disk had what is best effort; the chain says so from now on",
        head.seq
    );
    (goes_on, gap)
}

impl File {
    /// Writes where the chain is: a chain that ends before was cut.
    pub(super) fn write_head(&mut self) {
        let Some(chain) = &self.chain else { return };
        let State { seq, prev, .. } = &self.at.state;
        let text = head::text(seq - 1, prev, &chain.signer);
        let name = head_name(&self.path);
        if let Err(error) = replace(&name, &beside(&name, ".new"), text.as_bytes())
            && self.complained.is_none_or(|at| at.elapsed() >= SILENCE)
        {
            self.complained = Some(Instant::now());
            tracing::warn!(file = %name.display(), "the head of the chain can't be written: {error}");
        }
    }

    /// Begins a head, so that one that is gone was removed.
    pub(super) fn begin_head(&mut self) {
        if self.chain.is_some() && self.at.state == State::start() && !head_name(&self.path).exists() {
            self.write_head();
        }
    }

    /// Says in the chain what was wrong when the file was opened, before anything else is written.
    pub(super) fn say_gap(&mut self) -> Result<(), Failure> {
        let (Some(gap), Some(chain)) = (self.gap, &self.chain) else { return Ok(()) };
        let (mut next, mut bytes) = (self.at.state, Vec::new());
        next.seal(&chain.signer, (self.time)(), Some(gap), &mut bytes);
        self.append(&bytes, next, self.at.last)?;
        self.keep()?;
        self.gap = None;
        self.write_head();
        Ok(())
    }
}

/// Puts a text in the place of a file: the old one is there until the disk has the new one.
fn replace(path: &Path, new: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let written = options.open(new).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_data()
    });
    written.and_then(|()| fs::rename(new, path)).inspect_err(|_| {
        // It takes the last room, or is in the way.
        let _ = fs::remove_file(new);
    })
}
