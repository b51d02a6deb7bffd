//! Opening the file, also one that a killed process left behind. One that is damaged is not opened.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::RwLock,
};

use redb::{Database, DatabaseError, ReadableTable as _, StorageError};

use super::{META, REVOCATIONS, SEEN, SIGNALS, Store, decode, id_of, is_in_place};
use crate::revocation::{
    entry::{Id, Revocation},
    key::Keys,
    signal::Attributes,
};

/// The version of what is in the file.
const FORMAT: &[u8] = b"1";

/// How much of the file may be held in memory. What is asked on each verification is held apart.
const CACHE: usize = 8 << 20;

/// Why the file can't be used. The server does not start then: what was revoked might pass.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The content is not what was written.
    #[error(
        "the revocations in `{}` are damaged: {cause}; restore the file from a copy, or move it away to start with none, \
         by which all that was revoked is good again", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The system or another process is in the way.
    #[error("the revocations in `{}` can't be opened: {cause}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// There are more than may be held.
    #[error("the revocations in `{}` are more than {limit}; raise `revocation.max_entries`", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// The setting.
        limit: usize,
    },
}

/// An open file.
pub(in crate::revocation) struct Opened {
    pub(in crate::revocation) store: Store,
    pub(in crate::revocation) keys: Keys,
}

/// Opens the file, or makes it, and hands over what it holds.
pub(in crate::revocation) fn open(
    path: &Path,
    mut each: impl FnMut(&Keys, Id, Revocation),
    mut signals: impl FnMut(u128, Attributes),
) -> Result<Opened, OpenError> {
    let failed = |cause: String| OpenError::Failed { path: path.to_owned(), cause };
    let damaged = |cause: String| OpenError::Damaged { path: path.to_owned(), cause };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| failed(format!("its folder can't be made: {error}")))?;
    }
    // The database would be made for everybody to read.
    let made = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    made.map_err(|error| failed(error.to_string()))?;
    let opened = catch_unwind(AssertUnwindSafe(|| -> Result<Opened, OpenError> {
        let database = database(path).map_err(|error| match error {
            DatabaseError::Storage(StorageError::Corrupted(cause)) => damaged(cause),
            DatabaseError::Storage(StorageError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                damaged(error.to_string())
            }
            DatabaseError::Storage(StorageError::Io(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                damaged("it is cut short".to_owned())
            }
            DatabaseError::DatabaseAlreadyOpen => failed("another server has it; each needs one of its own".to_owned()),
            error @ DatabaseError::RepairAborted => damaged(error.to_string()),
            error => failed(error.to_string()),
        })?;
        let keys = read(&database, &mut each, &mut signals).map_err(|fault| match fault {
            Fault::Content(cause) | Fault::Database(redb::Error::Corrupted(cause)) => damaged(cause),
            Fault::Database(error) => failed(error.to_string()),
        })?;
        let store = Store { path: path.to_owned(), database: RwLock::new(Some(database)) };
        Ok(Opened { store, keys })
    }));
    opened.unwrap_or_else(|_| Err(damaged("its pages can't be read".to_owned())))
}

/// The database, with all its checksums looked at.
pub(super) fn database(path: &Path) -> Result<Database, DatabaseError> {
    Database::builder().set_cache_size(CACHE).set_check_integrity_on_open(true).create(path)
}

enum Fault {
    Content(String),
    Database(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

fn read(
    database: &Database,
    each: &mut impl FnMut(&Keys, Id, Revocation),
    signals: &mut impl FnMut(u128, Attributes),
) -> Result<Keys, Fault> {
    let transaction = database.begin_write()?;
    let keys = {
        let mut meta = transaction.open_table(META)?;
        let revocations = transaction.open_table(REVOCATIONS)?;
        transaction.open_table(SEEN)?;
        let said = transaction.open_table(SIGNALS)?;
        let known = meta.get("key")?.map(|key| key.value().to_vec());
        let format = meta.get("format")?.map(|format| format.value().to_vec());
        let key = match (known, format) {
            (Some(key), Some(format)) if format == FORMAT => {
                <[u8; 16]>::try_from(key).map_err(|_| Fault::Content("its key has another length".to_owned()))?
            }
            (None, None) => {
                let mut key = [0; 16];
                aws_lc_rs::rand::fill(&mut key)
                    .map_err(|_| Fault::Content("the system has no random numbers".to_owned()))?;
                meta.insert("key", key.as_slice())?;
                meta.insert("format", FORMAT)?;
                key
            }
            _ => return Err(Fault::Content("its format is another than this program's".to_owned())),
        };
        let keys = Keys::new(&key);
        for item in revocations.iter()? {
            let (key, value) = item?;
            let found = id_of(key.value()).zip(decode(value.value()));
            let Some((id, revocation)) = found.filter(|(id, revocation)| is_in_place(&keys, *id, revocation)) else {
                return Err(Fault::Content("a revocation in it is not what was written".to_owned()));
            };
            each(&keys, id, revocation);
        }
        for item in said.iter()? {
            let (key, value) = item?;
            let Ok(attributes) = serde_json::from_slice::<Attributes>(value.value()) else {
                return Err(Fault::Content("a signal in it is not what was written".to_owned()));
            };
            signals(key.value(), attributes);
        }
        keys
    };
    transaction.commit()?;
    Ok(keys)
}
