//! Records that wait on disk until they are delivered. They outlive the process, however it ends.
//!
//! A chunk is what one commit took: all records that had come meanwhile, so that the cost of a commit is shared. Each
//! record has a number, by which a sink knows what it has already. Age is told by a clock that only runs while the
//! process does: steps of the wall clock drop nothing.

mod chunk;
mod index;
mod open;
mod recent;
mod salvage;

use std::{
    path::PathBuf,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use redb::{Database, ReadableDatabase as _, TableDefinition};

pub(super) use self::open::contents;
use self::{chunk::Head, index::Index, recent::Recent};
use super::{
    config::{SpoolConfig, WhenFull},
    figures::{Cause, Counts},
    lines::Lines,
};

/// By the number of their first record.
const CHUNKS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("chunks");
/// `next`: the number of the next record; `id`: by which the spool is known; `sum`: that these are as they were written.
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// Why records could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    /// No more may wait.
    #[error("the spool is full")]
    Full,
    /// It is damaged, and nothing may be lost without a word.
    #[error(
        "the spool `{path}` is damaged ({cause}): {readable} records can be read, and at least {lost} are lost; `verdict \
         log tail {path}` shows them. It is configured to fail closed: to go on with what can be read, start once with \
         `when_full: drop_oldest`"
    )]
    Refused { path: String, readable: u64, lost: u64, cause: String },
    /// The system or the database failed.
    #[error("the spool `{path}` {what}: {cause}")]
    Failed { path: String, what: &'static str, cause: String },
}

/// One sink's spool.
pub(super) struct Spool {
    path: PathBuf,
    id: u64,
    max_age: Duration,
    max_bytes: u64,
    when_full: WhenFull,
    started: Instant,
    // Written only to open it again after a failure.
    database: RwLock<Option<Database>>,
    index: Mutex<Index>,
    // What was written last need not be read again.
    recent: Mutex<Recent>,
    arrived: Condvar,
    finished: AtomicBool,
    /// Records that were damaged when it was opened.
    lost: u64,
}

/// Records to deliver, of whole chunks.
pub(super) struct Batch {
    keys: Vec<u64>,
    pub(super) records: Lines,
}

impl Spool {
    /// Opens or creates it. One that is damaged is put aside, with a word in the log, and what can be read of it is taken
    /// over; one that fails closed is refused then.
    pub(super) fn open(config: &SpoolConfig, sink: &str) -> Result<Self, SpoolError> {
        let SpoolConfig { path, max_bytes, max_age, when_full } = config.clone();
        let open::Opened { database, id, index, lost } = open::open(&path, sink, when_full == WhenFull::FailClosed)?;
        Ok(Self {
            path,
            id,
            max_age,
            max_bytes,
            when_full,
            started: Instant::now(),
            database: RwLock::new(Some(database)),
            index: Mutex::new(index),
            recent: Mutex::default(),
            arrived: Condvar::new(),
            finished: AtomicBool::new(false),
            lost,
        })
    }

    /// By which the spool is known: another one may use the same numbers.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether there may soon be no room, by what `counts` says of what waits.
    pub(super) fn is_filling(&self, counts: &Counts) -> bool {
        counts.spooled_bytes.load(Relaxed) >= self.max_bytes / 2
    }

    /// How many records were damaged when it was opened.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Tells the figures of what waits.
    pub(super) fn show(&self, counts: &Counts) {
        let index = self.lock();
        counts.spooled.store(index.records(), Relaxed);
        counts.spooled_bytes.store(index.bytes(), Relaxed);
    }

    /// Keeps records: from its return on, they outlive the process. What no longer may wait goes with the same commit.
    pub(super) fn append(&self, mut records: Lines, counts: &Counts) -> Result<(), SpoolError> {
        let (size, count) = (records.size() as u64, records.len() as u64);
        let (head, removals) = {
            let mut index = self.lock();
            let tick = index.tick(self.started.elapsed());
            index.expire(tick, self.max_age, counts);
            let fits = index.bytes() + size <= self.max_bytes
                || self.when_full == WhenFull::DropOldest && index.make_room(size, self.max_bytes, counts);
            if !fits {
                return Err(SpoolError::Full);
            }
            let first = index.next();
            let oldest = index.oldest_waiting().unwrap_or(first);
            (Head { id: self.id, first, count, oldest, tick }, index.removals())
        };
        self.commit(Some((head, &chunk::encode(head, &records))), &removals)?;
        records.number(head.first);
        self.recent().put(records);
        let mut index = self.lock();
        index.removed(&removals);
        index.insert(head.first, count, size, head.tick);
        counts.spooled.store(index.records(), Relaxed);
        counts.spooled_bytes.store(index.bytes(), Relaxed);
        drop(index);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes out what is delivered, and what is too old.
    pub(super) fn tidy(&self, counts: &Counts) {
        let removals = {
            let mut index = self.lock();
            let tick = index.tick(self.started.elapsed());
            index.expire(tick, self.max_age, counts);
            index.removals()
        };
        if removals.is_empty() {
            return;
        }
        // What could not be taken out is delivered again after the next start.
        if self.commit(None, &removals).is_ok() {
            self.lock().removed(&removals);
        }
        self.show(counts);
    }

    /// The next records to deliver, at most about that many bytes; `None` if none come in time.
    pub(super) fn next(&self, most: u64, patience: Duration, counts: &Counts) -> Option<Batch> {
        let keys = {
            let mut index = self.lock();
            if index.waiting().is_none() && !self.finished.load(Relaxed) {
                index = self.arrived.wait_timeout(index, patience).unwrap_or_else(PoisonError::into_inner).0;
            }
            index.begin(most)
        };
        if keys.is_empty() {
            return None;
        }
        let mut records = Lines::default();
        for key in &keys {
            let known = self.recent().take(*key);
            match known.map_or_else(|| self.read(*key), Ok) {
                Ok(chunk) => records.append(chunk),
                Err(cause) => {
                    let lost = self.lock().records_of(*key);
                    counts.lose(Cause::SpoolCorrupt, lost);
                    tracing::error!(spool = %self.path.display(), records = lost, "the spool is damaged: {cause}");
                }
            }
        }
        Some(Batch { keys, records })
    }

    /// These are delivered.
    pub(super) fn done(&self, batch: &Batch, counts: &Counts) {
        self.lock().done(&batch.keys);
        self.show(counts);
    }

    /// Nothing more is appended.
    pub(super) fn finish(&self) {
        self.finished.store(true, Relaxed);
        self.arrived.notify_all();
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Relaxed)
    }

    /// Closes the file in order: the next to open it has nothing to repair.
    pub(super) fn close(&self) {
        drop(self.database.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn read(&self, key: u64) -> Result<Lines, String> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or("it is not open")?;
        // What is damaged in the database's own pages may end in a panic there.
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| -> Result<Lines, String> {
            let text = |error: redb::Error| error.to_string();
            let transaction = database.begin_read().map_err(|error| text(error.into()))?;
            let table = transaction.open_table(CHUNKS).map_err(|error| text(error.into()))?;
            let value = table.get(key).map_err(|error| text(error.into()))?;
            let value = value.ok_or("a chunk is not there")?;
            chunk::decode(self.id, key, value.value()).ok_or_else(|| "a chunk is not what was written".to_owned())
        }));
        read.unwrap_or_else(|_| Err("it can't be read".to_owned()))
    }

    fn commit(&self, chunk: Option<(Head, &[u8])>, removals: &[u64]) -> Result<(), SpoolError> {
        let outcome = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let committed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match database.as_ref() {
                Some(database) => write(database, chunk, removals).map_err(|error| error.to_string()),
                None => Err("it is not open".to_owned()),
            }));
            committed.unwrap_or_else(|_| Err("it can't be written".to_owned()))
        };
        outcome.map_err(|cause| {
            self.open_again();
            SpoolError::Failed { path: self.path.display().to_string(), what: "can't be written", cause }
        })
    }

    /// After a failure the database takes nothing more; opened anew it is as after the last commit.
    fn open_again(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The lock of the file goes with it.
        drop(database.take());
        let opened = std::panic::catch_unwind(|| Database::open(&self.path));
        *database = opened.ok().and_then(Result::ok);
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(database: &Database, chunk: Option<(Head, &[u8])>, removals: &[u64]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(CHUNKS)?;
        for key in removals {
            table.remove(key)?;
        }
        if let Some((head, value)) = chunk {
            table.insert(head.first, value)?;
            open::put_meta(&mut transaction.open_table(META)?, head.id, head.first + head.count)?;
        }
    }
    transaction.commit()?;
    Ok(())
}
