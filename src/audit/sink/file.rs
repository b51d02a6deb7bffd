//! A file, a line each: rotated, compressed, chained where that is configured.
//!
//! What is written is whole lines or nothing: a write that fails in the middle is taken back, and a line that a crash
//! left half is cut off at the next start. Records that come from a spool are on disk before they are said to be
//! delivered: once for all that are delivered together. A file has one writer, who holds a lock on it.

mod compress;
mod head;
mod hold;
mod open;
mod resume;
mod rotate;
#[cfg(test)]
mod tests;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::Ordering::Relaxed,
    time::{Instant, SystemTime},
};

use super::{Context, Failure, Sink};
use crate::audit::{
    chain::{Gap, State},
    config::{Chain, Rotation},
    lines::{Lines, Numbered},
    sink::files,
};

pub(in crate::audit) use self::head::head_name;
use self::{compress::Compressing, head::Known, open::Opened, resume::End, rotate::Pause};

pub(super) struct File {
    path: PathBuf,
    open: fs::File,
    at: Mark,
    /// How far it is on disk, and may not be taken back; the same as `at` where nobody waits for the disk.
    kept: Mark,
    /// How many of the records that are being delivered are in between.
    written: usize,
    since: Instant,
    rotation: Rotation,
    /// Of rotations that can't be made.
    pause: Pause,
    chain: Option<Chain>,
    /// What was wrong when the file was opened, until the chain says so.
    gap: Option<Gap>,
    sealed: Instant,
    sync: bool,
    /// Whether there may be something beyond `at` that is to be cut off before anything is written.
    torn: bool,
    /// Whether the disk may not know the file by its name.
    unnamed: bool,
    /// What others did to the file, until who delivers next is told.
    changed: Option<String>,
    /// When it was said that the head can't be written.
    complained: Option<Instant>,
    time: fn() -> SystemTime,
    compressing: Option<Compressing>,
}

/// How far a file is written.
#[derive(Clone, Copy)]
struct Mark {
    /// How long it is; what is beyond is not ours.
    length: u64,
    /// Of a file that is chained.
    state: State,
    /// The last record of a spool that is in the file, and which spool's.
    last: Option<(u64, u64)>,
}

/// The most bytes of one write.
const WRITE: usize = 1 << 20;

impl File {
    pub(super) fn open(
        path: &Path,
        rotation: Rotation,
        chain: Option<Chain>,
        sync: bool,
        time: fn() -> SystemTime,
    ) -> Result<Self, String> {
        let mut opened = open::open(path, sync)?;
        let mut at = Mark { length: opened.length, state: State::start(), last: None };
        let mut gap = None;
        if let Some(chain) = &chain {
            let known = head::known(&opened.path, chain);
            let found = files::find(&opened.path)
                .map_err(|error| format!("`{}` can't be looked for: {error}", opened.path.display()))?;
            let wanted = if let Known::Head(head) = &known { Some(head.seq) } else { None };
            let (end, whole) = End::read(&found, wanted);
            open::set_aside(&mut opened, whole);
            at.last = end.from;
            (at.state, gap) = head::reconcile(&opened.path, known, &end, rotation.keep == 0);
            at.length = opened.length;
        }
        if sync {
            let synced = opened.file.sync_all().and_then(|()| open::sync_name(&opened.path));
            synced.map_err(|error| format!("`{}` can't be synced, so it can't be durable: {error}", path.display()))?;
        }
        let mut file = Self {
            path: opened.path,
            open: opened.file,
            at,
            kept: at,
            written: 0,
            since: Instant::now(),
            rotation,
            pause: Pause::default(),
            chain,
            gap,
            sealed: Instant::now(),
            sync,
            torn: false,
            unnamed: false,
            changed: None,
            complained: None,
            time,
            compressing: None,
        };
        file.begin_head();
        if let Err(failure) = file.say_gap() {
            // It is said before the first record.
            tracing::error!("{}", failure.cause);
        }
        file.compress_full_ones();
        Ok(file)
    }

    /// Writes whole lines, or nothing; what the file is then.
    fn append(&mut self, bytes: &[u8], state: State, last: Option<(u64, u64)>) -> Result<(), Failure> {
        self.mend()?;
        if let Err(error) = self.open.write_all(bytes) {
            self.torn = true;
            // What can't be cut now is before the next write.
            let _ = self.mend();
            return Err(self.failure("can't be written", &error));
        }
        self.at = Mark { length: self.at.length + bytes.len() as u64, state, last };
        if !self.sync {
            self.kept = self.at;
        }
        Ok(())
    }

    /// Has the disk have what was written, or takes it back.
    fn keep(&mut self) -> Result<(), Failure> {
        if self.at.length == self.kept.length {
            return Ok(());
        }
        if let Err(error) = self.open.sync_data().and_then(|()| self.sync_name()) {
            self.take_back();
            return Err(self.failure("can't be written", &error));
        }
        self.kept = self.at;
        Ok(())
    }

    /// The same, and the records that were written are delivered.
    fn settle(&mut self, records: &mut Lines, context: &Context<'_>) -> Result<(), Failure> {
        self.keep()?;
        let written = std::mem::take(&mut self.written);
        records.remove(written);
        context.counts.delivered.fetch_add(written as u64, Relaxed);
        Ok(())
    }

    fn failure(&self, what: &str, error: &std::io::Error) -> Failure {
        Failure::new(format!("`{}` {what}: {error}", self.path.display()))
    }

    /// Seals what is not sealed yet.
    fn seal(&mut self) -> Result<(), Failure> {
        let Some(chain) = &self.chain else { return Ok(()) };
        if self.at.state.unsealed == 0 {
            return Ok(());
        }
        let (mut next, mut bytes) = (self.at.state, Vec::new());
        next.seal(&chain.signer, (self.time)(), None, &mut bytes);
        self.append(&bytes, next, self.at.last)?;
        // The head may not be ahead of the file.
        self.keep()?;
        self.sealed = Instant::now();
        self.write_head();
        Ok(())
    }

    /// Whether a record of a spool is in the file already: it was written before the spool knew.
    fn has(&self, record: &Numbered<'_>, spool: Option<u64>) -> bool {
        matches!((self.at.last, spool), (Some((last_spool, number)), Some(spool)) if last_spool == spool && record.number <= number)
    }

    /// Writes the next records, at most [`WRITE`] bytes of them, at most up to the next checkpoint.
    fn write_some(&mut self, records: &Lines, spool: Option<u64>) -> Result<(), Failure> {
        self.written += records.from(self.written).take_while(|record| self.has(record, spool)).count();
        let mut state = self.at.state;
        let (mut linked, mut count, mut size, mut last) = (Vec::new(), 0, 0, None);
        for record in records.from(self.written) {
            if size >= WRITE || self.chain.as_ref().is_some_and(|chain| state.unsealed >= chain.every) {
                break;
            }
            if self.chain.is_some() {
                state.add(record.line, spool.map(|spool| (spool, record.number)), &mut linked);
            }
            size += record.line.len();
            count += 1;
            last = spool.map(|spool| (spool, record.number));
        }
        if count > 0 {
            let bytes = if self.chain.is_some() { &linked } else { records.text(self.written, count) };
            self.append(bytes, state, last.or(self.at.last))?;
            self.written += count;
        }
        Ok(())
    }

    /// Writes all of them, as far as that goes.
    fn write(&mut self, records: &mut Lines, context: &Context<'_>) -> Result<(), Failure> {
        while self.written < records.len() {
            if self.is_full() {
                self.seal()?;
                self.settle(records, context)?;
                if let Some(cause) = self.rotate()? {
                    context.counts.errors.fetch_add(1, Relaxed);
                    if context.counts.worth_saying(&cause) {
                        tracing::error!(sink = context.sink, "{cause}; the same file is written on to");
                    }
                }
            }
            if self.chain.as_ref().is_some_and(|chain| self.at.state.unsealed >= chain.every) {
                self.seal()?;
            }
            self.write_some(records, context.spool)?;
        }
        Ok(())
    }
}

impl Sink for File {
    fn deliver(&mut self, records: &mut Lines, context: &Context<'_>) -> Result<(), Failure> {
        let held = self.hold();
        if let Some(cause) = self.changed.take() {
            return Err(Failure::new(cause));
        }
        held?;
        self.say_gap()?;
        let written = self.write(records, context);
        if self.sync && context.spool.is_none() && written.is_err() {
            // Nothing of them is tried again.
            self.take_back();
            return written;
        }
        // Also of what went well before something failed.
        self.settle(records, context)?;
        written?;
        self.idle(false);
        Ok(())
    }

    fn idle(&mut self, last: bool) {
        let due = self.chain.as_ref().is_some_and(|chain| last || self.sealed.elapsed() >= chain.interval);
        if due {
            let known = self.changed.is_some();
            // What can't be sealed now is sealed with what comes.
            let _ = self.hold().and_then(|()| self.say_gap()).and_then(|()| self.seal());
            if !known && let Some(cause) = &self.changed {
                // Where there is nothing to deliver, nobody else says so.
                tracing::error!("{cause}");
            }
        }
        if last && let Some(compressing) = self.compressing.take() {
            compressing.end();
        }
    }
}
