//! Opening a spool, also one that was left behind, and one that is damaged.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError};

use super::{CHUNKS, META, Numbered, SpoolError, chunk, index::Index};

pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) id: u64,
    pub(super) index: Index,
}

pub(super) fn open(path: &Path, sink: &str) -> Result<Opened, SpoolError> {
    let failed =
        |what: &'static str, cause: String| SpoolError::Failed { path: path.display().to_string(), what, cause };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| failed("can't be created", error.to_string()))?;
    }
    // The database would be created for everybody to read.
    let created = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    created.map_err(|error| failed("can't be created", error.to_string()))?;
    match attempt(path) {
        Ok(opened) => Ok(opened),
        Err(Attempt::Other(cause)) => Err(failed("can't be opened", cause)),
        Err(Attempt::Damaged(cause)) => {
            let aside = free_name(path);
            fs::rename(path, &aside)
                .map_err(|error| failed("is damaged, and can't be put aside", error.to_string()))?;
            tracing::error!(
                sink, spool = %path.display(), aside = %aside.display(),
                "the spool is damaged; it is put aside, and what it held is not delivered: {cause}"
            );
            attempt(path).map_err(|again| match again {
                Attempt::Damaged(cause) | Attempt::Other(cause) => failed("can't be created", cause),
            })
        }
    }
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
            Err(DatabaseError::Storage(StorageError::Io(error))) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(Attempt::Damaged(error.to_string()));
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                return Err(Attempt::Other("another process, or another sink, has it".to_owned()));
            }
            Err(error @ DatabaseError::UpgradeRequired(_)) => return Err(Attempt::Damaged(error.to_string())),
            Err(error) => return Err(Attempt::Other(error.to_string())),
        };
        read(database).map_err(|error| match error {
            redb::Error::Corrupted(cause) => Attempt::Damaged(cause),
            error => Attempt::Other(error.to_string()),
        })
    });
    opened.unwrap_or_else(|_| Err(Attempt::Damaged("its pages can't be read".to_owned())))
}

fn read(database: Database) -> Result<Opened, redb::Error> {
    let transaction = database.begin_write()?;
    let (id, index) = {
        let mut meta = transaction.open_table(META)?;
        let known = meta.get("id")?.map(|id| id.value());
        let id = if let Some(id) = known {
            id
        } else {
            let mut bytes = [0; 8];
            // Without random bytes it is known as zero, as every other spool of such a system.
            let _ = aws_lc_rs::rand::fill(&mut bytes);
            let id = u64::from_le_bytes(bytes);
            meta.insert("id", id)?;
            id
        };
        let next = meta.get("next")?.map_or(0, |next| next.value());
        let mut index = Index::new(next);
        let table = transaction.open_table(CHUNKS)?;
        let mut found: Vec<(u64, u64, Option<u64>)> = Vec::new();
        for item in table.iter()? {
            let (key, value) = item?;
            found.push((key.value(), value.value().len() as u64, chunk::tick(value.value())));
        }
        let ends = found.iter().skip(1).map(|(key, ..)| *key).chain([next]).collect::<Vec<_>>();
        let mut last_tick = 0;
        for ((key, bytes, tick), end) in found.into_iter().zip(ends) {
            // Of a damaged chunk the number of its records is known from the next one's; its time is the last one's.
            last_tick = tick.unwrap_or(last_tick).max(last_tick);
            index.insert(key, end.saturating_sub(key), bytes, last_tick);
        }
        index.set_base(last_tick);
        (id, index)
    };
    transaction.commit()?;
    Ok(Opened { database, id, index })
}

fn free_name(path: &Path) -> PathBuf {
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    };
    (1..10_000).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

/// What waits in a spool that no server has open, in order.
///
/// # Errors
/// What is wrong with it, in words.
pub(in crate::audit) fn contents(path: &Path) -> Result<Vec<Numbered>, String> {
    let database = Database::builder().open_read_only(path).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => "a server has it open; stop the server first".to_owned(),
        DatabaseError::RepairAborted => "it was left in the middle; start the server on it once".to_owned(),
        error => error.to_string(),
    })?;
    let read = || -> Result<Vec<Numbered>, redb::Error> {
        let transaction = database.begin_read()?;
        let table = transaction.open_table(CHUNKS)?;
        let mut records = Vec::new();
        for item in table.iter()? {
            let (key, value) = item?;
            if let Some(mut chunk) = chunk::decode(key.value(), value.value()) {
                records.append(&mut chunk);
            }
        }
        Ok(records)
    };
    read().map_err(|error| error.to_string())
}
