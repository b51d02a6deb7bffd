//! A file, a line each: rotated, compressed, chained where that is configured.
//!
//! What is written is whole lines or nothing: a write that fails in the middle is taken back, and a line that a crash
//! left half is cut off at the next start.

mod open;
mod rotate;

use std::{
    collections::VecDeque,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::Ordering::Relaxed,
    time::{Instant, SystemTime},
};

use super::{Context, Failure, Sink};
use crate::audit::{
    chain::State,
    config::{Chain, Rotation},
    spool::Numbered,
};

pub(in crate::audit) use self::rotate::head_name;

pub(super) struct File {
    path: PathBuf,
    open: fs::File,
    /// How long it is; what is beyond is not ours.
    length: u64,
    since: Instant,
    rotation: Rotation,
    chain: Option<(Chain, State)>,
    sealed: Instant,
    /// The last record of a spool that is in the file, and which spool's.
    last: Option<(u64, u64)>,
    sync: bool,
    time: fn() -> SystemTime,
    compressing: Option<std::thread::JoinHandle<()>>,
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
        let found = open::open(path, chain.is_some())?;
        let mut file = Self {
            path: path.to_owned(),
            open: found.file,
            length: found.length,
            since: Instant::now(),
            rotation,
            chain: chain.map(|chain| (chain, found.state)),
            sealed: Instant::now(),
            last: found.last,
            sync,
            time,
            compressing: None,
        };
        file.compress_full_ones();
        Ok(file)
    }

    /// Writes whole lines, or nothing.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.open.write_all(bytes).and_then(|()| if self.sync { self.open.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                let _ = self.open.set_len(self.length);
                Err(self.failure("can't be written", &error))
            }
        }
    }

    fn failure(&self, what: &str, error: &std::io::Error) -> Failure {
        Failure::new(format!("`{}` {what}: {error}", self.path.display()))
    }

    /// Seals what is not sealed yet.
    fn seal(&mut self) -> Result<(), Failure> {
        let Some((chain, state)) = &self.chain else { return Ok(()) };
        if state.unsealed == 0 {
            return Ok(());
        }
        let (mut next, mut bytes) = (*state, Vec::new());
        next.seal(&chain.signer, (self.time)(), &mut bytes);
        self.append(&bytes)?;
        self.sealed = Instant::now();
        if let Some((_, state)) = &mut self.chain {
            *state = next;
        }
        self.write_head();
        Ok(())
    }

    /// Whether a record of a spool is in the file already: it was written before the spool knew.
    fn has(&self, record: &Numbered, spool: Option<u64>) -> bool {
        matches!((self.last, spool), (Some((last_spool, number)), Some(spool)) if last_spool == spool && record.number <= number)
    }

    /// Writes the first records, at most [`WRITE`] bytes of them, at most up to the next checkpoint.
    fn write_some(&mut self, records: &mut VecDeque<Numbered>, context: &Context<'_>) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let mut count = 0;
        let mut chain = self.chain.as_ref().map(|(chain, state)| (chain.every, *state));
        let mut last = self.last;
        for record in records.iter() {
            if bytes.len() >= WRITE || chain.as_ref().is_some_and(|(every, state)| state.unsealed >= *every) {
                break;
            }
            if !self.has(record, context.spool) {
                if let Some((_, state)) = &mut chain {
                    let from = context.spool.map(|spool| format!("{spool:016x}/{}", record.number));
                    state.add(&record.line, from.as_deref(), &mut bytes);
                } else {
                    bytes.extend_from_slice(&record.line);
                    bytes.push(b'\n');
                }
                last = context.spool.map(|spool| (spool, record.number)).or(last);
            }
            count += 1;
        }
        if !bytes.is_empty() {
            self.append(&bytes)?;
        }
        self.last = last;
        if let (Some((_, state)), Some((_, next))) = (&mut self.chain, chain) {
            *state = next;
        }
        records.drain(..count);
        context.counts.delivered.fetch_add(count as u64, Relaxed);
        Ok(())
    }
}

impl Sink for File {
    fn deliver(&mut self, records: &mut VecDeque<Numbered>, context: &Context<'_>) -> Result<(), Failure> {
        while !records.is_empty() {
            if self.is_full() {
                self.seal()?;
                self.rotate()?;
            }
            if self.chain.as_ref().is_some_and(|(chain, state)| state.unsealed >= chain.every) {
                self.seal()?;
            }
            self.write_some(records, context)?;
        }
        self.idle(false);
        Ok(())
    }

    fn idle(&mut self, last: bool) {
        let due = self.chain.as_ref().is_some_and(|(chain, _)| last || self.sealed.elapsed() >= chain.interval);
        if due {
            // What can't be sealed now is sealed with what comes.
            let _ = self.seal();
        }
        if last && let Some(compressing) = self.compressing.take() {
            let _ = compressing.join();
        }
    }
}
