//! Opening a spool, also one that was left behind, and one that is damaged.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError};

use super::{
    CHUNKS, META, SpoolError, chunk,
    index::Index,
    salvage::{self, GAP, Salvaged},
};
use crate::audit::lines::Lines;

pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) id: u64,
    pub(super) index: Index,
    /// Records that were damaged.
    pub(super) lost: u64,
}

/// How many bytes of what is salvaged are written at once.
const AT_ONCE: usize = 16 << 20;

/// Opens or creates it. What is damaged is put aside, and what can be read of it is taken over, unless `refuse`.
pub(super) fn open(path: &Path, sink: &str, refuse: bool) -> Result<Opened, SpoolError> {
    let failed =
        |what: &'static str, cause: String| SpoolError::Failed { path: path.display().to_string(), what, cause };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| failed("can't be created", error.to_string()))?;
    }
    // An end between the two renames below.
    let made = with_end(path, ".salvaged");
    if made.exists() && !path.exists() {
        fs::rename(&made, path).map_err(|error| failed("can't be taken over", error.to_string()))?;
    }
    create(path).map_err(|error| failed("can't be created", error.to_string()))?;
    let cause = match attempt(path) {
        Ok(opened) => return Ok(opened),
        Err(Attempt::Other(cause)) => return Err(failed("can't be opened", cause)),
        Err(Attempt::Damaged(cause)) => cause,
    };
    let found = salvage::salvage(path).map_err(|error| failed("is damaged, and can't be read", error.to_string()))?;
    let (readable, lost) = (found.chunks.values().map(|found| found.head.count).sum::<u64>(), found.lost);
    if refuse {
        return Err(SpoolError::Refused { path: path.display().to_string(), readable, lost, cause });
    }
    rebuild(path, &made, &found).map_err(|cause| failed("is damaged, and can't be written anew", cause))?;
    let aside = free_name(path);
    fs::rename(path, &aside)
        .and_then(|()| fs::rename(&made, path))
        .map_err(|error| failed("is damaged, and can't be put aside", error.to_string()))?;
    tracing::error!(
        sink, spool = %path.display(), aside = %aside.display(), records = readable, lost,
        "the spool is damaged; it is put aside, what can be read of it is delivered, and at least `lost` records are \
         not: {cause}"
    );
    let opened = attempt(path).map_err(|again| match again {
        Attempt::Damaged(cause) | Attempt::Other(cause) => failed("can't be created", cause),
    })?;
    Ok(Opened { lost, ..opened })
}

/// The database would be created for everybody to read.
fn create(path: &Path) -> std::io::Result<()> {
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(|_| ())
}

/// Writes what was found into a new file.
fn rebuild(from: &Path, to: &Path, found: &Salvaged) -> Result<(), String> {
    let _ = fs::remove_file(to);
    create(to).map_err(|error| error.to_string())?;
    let mut file = fs::File::open(from).map_err(|error| error.to_string())?;
    let mut write = || -> Result<(), Box<dyn std::error::Error>> {
        let database = Database::create(to)?;
        let mut chunks = found.chunks.iter().peekable();
        while chunks.peek().is_some() {
            let transaction = database.begin_write()?;
            let mut written = 0;
            {
                let mut table = transaction.open_table(CHUNKS)?;
                while let Some((first, found)) = chunks.next_if(|_| written < AT_ONCE) {
                    table.insert(first, found.read(&mut file, *first)?.as_slice())?;
                    written += found.length;
                }
            }
            transaction.commit()?;
        }
        if let Some(id) = found.id {
            let transaction = database.begin_write()?;
            put_meta(&mut transaction.open_table(META)?, id, found.end + GAP)?;
            transaction.commit()?;
        }
        Ok(())
    };
    write().map_err(|error| error.to_string())
}

enum Attempt {
    Damaged(String),
    Other(String),
}

fn attempt(path: &Path) -> Result<Opened, Attempt> {
    let opened = std::panic::catch_unwind(|| -> Result<Opened, Attempt> {
        let database = match Database::create(path) {
            Ok(database) => database,
            Err(DatabaseError::Storage(StorageError::Corrupted(cause))) => return Err(Attempt::Damaged(cause)),
            Err(DatabaseError::Storage(StorageError::Io(error))) if is_of_content(error.kind()) => {
                return Err(Attempt::Damaged(error.to_string()));
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                return Err(Attempt::Other("another process, or another sink, has it".to_owned()));
            }
            Err(error @ DatabaseError::UpgradeRequired(_)) => return Err(Attempt::Damaged(error.to_string())),
            Err(error) => return Err(Attempt::Other(error.to_string())),
        };
        read(database)
    });
    opened.unwrap_or_else(|_| Err(Attempt::Damaged("its pages can't be read".to_owned())))
}

/// What is wrong with a file, and not with the system.
fn is_of_content(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}

fn read(database: Database) -> Result<Opened, Attempt> {
    let (id, index, faults) = tables(&database).map_err(|error| match error {
        // Of a database whose pages are sound, these tables are of these types.
        redb::Error::Io(error) if !is_of_content(error.kind()) => Attempt::Other(error.to_string()),
        error => Attempt::Damaged(error.to_string()),
    })?;
    match faults {
        None => Ok(Opened { database, id, index, lost: 0 }),
        Some(fault) => Err(Attempt::Damaged(fault.to_owned())),
    }
}

/// The id, what waits, and what is wrong with it.
fn tables(database: &Database) -> Result<(u64, Index, Option<&'static str>), redb::Error> {
    let transaction = database.begin_write()?;
    let (id, index, fault) = {
        let mut meta = transaction.open_table(META)?;
        let number =
            |name: &str| -> Result<Option<u64>, redb::Error> { Ok(meta.get(name)?.map(|value| value.value())) };
        let (known, next, sum) = (number("id")?, number("next")?, number("sum")?);
        let table = transaction.open_table(CHUNKS)?;
        let fresh = known.is_none() && next.is_none() && sum.is_none() && table.iter()?.next().is_none();
        let (id, next) = (known.unwrap_or_default(), next.unwrap_or_default());
        let (mut fault, mut index) = (None, Index::new(next));
        let mut last_tick = 0;
        if !fresh && sum != Some(checksum(id, next)) {
            fault = Some("what it says of itself is not what was written");
        }
        for item in table.iter()? {
            let (key, value) = item?;
            let (key, bytes) = (key.value(), value.value().len() as u64);
            match chunk::head(value.value()) {
                Some(head) if head.first == key && head.id == id && key + head.count <= next => {
                    last_tick = head.tick.max(last_tick);
                    index.insert(key, head.count, bytes, last_tick);
                }
                _ => fault = Some("a chunk is not what was written"),
            }
        }
        index.set_base(last_tick);
        let id = if fresh {
            let mut bytes = [0; 8];
            // Without random bytes it is known as zero, as every other spool of such a system.
            let _ = aws_lc_rs::rand::fill(&mut bytes);
            let id = u64::from_le_bytes(bytes);
            put_meta(&mut meta, id, 0)?;
            id
        } else {
            id
        };
        (id, index, fault)
    };
    // Nothing more is written into what is damaged.
    if fault.is_some() {
        transaction.abort()?;
    } else {
        transaction.commit()?;
    }
    Ok((id, index, fault))
}

/// Writes the id and the next number, with what tells that both are as they were written.
pub(super) fn put_meta(meta: &mut redb::Table<'_, &'static str, u64>, id: u64, next: u64) -> Result<(), StorageError> {
    for (name, value) in [("id", id), ("next", next), ("sum", checksum(id, next))] {
        meta.insert(name, value)?;
    }
    Ok(())
}

fn checksum(id: u64, next: u64) -> u64 {
    let hash = digest::digest(&digest::SHA256, &[id.to_le_bytes(), next.to_le_bytes()].concat());
    hash.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn free_name(path: &Path) -> PathBuf {
    let name = |number: u32| with_end(path, &format!(".damaged-{number}"));
    (1..10_000).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// What waits in a spool that no server has open, in order; of a damaged one what can be read.
///
/// # Errors
/// What is wrong with it, in words.
pub(in crate::audit) fn contents(path: &Path) -> Result<Lines, String> {
    let read = std::panic::catch_unwind(|| whole(path));
    match read {
        Ok(Ok(records)) => Ok(records),
        Ok(Err(Attempt::Other(cause))) => Err(cause),
        Ok(Err(Attempt::Damaged(_))) | Err(_) => salvaged(path).map_err(|error| error.to_string()),
    }
}

fn whole(path: &Path) -> Result<Lines, Attempt> {
    let database = Database::builder().open_read_only(path).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => Attempt::Other("a server has it open; stop the server first".to_owned()),
        DatabaseError::RepairAborted => {
            Attempt::Other("it was left in the middle; start the server on it once".to_owned())
        }
        DatabaseError::Storage(StorageError::Io(error)) if !is_of_content(error.kind()) => {
            Attempt::Other(error.to_string())
        }
        error => Attempt::Damaged(error.to_string()),
    })?;
    let read = || -> Result<Option<Lines>, redb::Error> {
        let transaction = database.begin_read()?;
        let id = transaction.open_table(META)?.get("id")?.map_or(0, |id| id.value());
        let table = transaction.open_table(CHUNKS)?;
        let mut records = Lines::default();
        for item in table.iter()? {
            let (key, value) = item?;
            let Some(chunk) = chunk::decode(id, key.value(), value.value()) else { return Ok(None) };
            records.append(chunk);
        }
        Ok(Some(records))
    };
    match read() {
        Ok(Some(records)) => Ok(records),
        Ok(None) => Err(Attempt::Damaged("a chunk is not what was written".to_owned())),
        Err(error) => Err(Attempt::Damaged(error.to_string())),
    }
}

fn salvaged(path: &Path) -> std::io::Result<Lines> {
    let found = salvage::salvage(path)?;
    let mut file = fs::File::open(path)?;
    let mut records = Lines::default();
    for (first, found) in found.chunks {
        let bytes = found.read(&mut file, first)?;
        records.append(chunk::decode(found.head.id, first, &bytes).unwrap_or_default());
    }
    Ok(records)
}
