//! A transmitter's keys: a file, read again where a token needs a key that is not there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;

use crate::identity::KeySet;

/// The shortest time between two readings, however many tokens have keys that are not there.
const AGAIN: Duration = Duration::from_secs(5);

/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;

pub(super) struct Keys {
    path: PathBuf,
    set: ArcSwap<KeySet>,
    read: Mutex<Instant>,
}

impl Keys {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let set = ArcSwap::from_pointee(read(path)?);
        Ok(Self { path: path.to_owned(), set, read: Mutex::new(Instant::now()) })
    }

    pub(super) fn now(&self) -> Arc<KeySet> {
        self.set.load_full()
    }

    /// Whether the file has other keys than before. Asked only for tokens that say to be the transmitter's.
    pub(super) fn again(&self) -> bool {
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < AGAIN {
            return false;
        }
        *last = Instant::now();
        drop(last);
        match read(&self.path) {
            Ok(set) if set != **self.set.load() => {
                self.set.store(Arc::new(set));
                true
            }
            Ok(_) => false,
            Err(fault) => {
                tracing::error!("a transmitter's keys stay as they are: {fault}");
                false
            }
        }
    }
}

fn read(path: &Path) -> Result<KeySet, String> {
    let named = |problem: &str| format!("`{}` {problem}", path.display());
    let size = fs::metadata(path).map_err(|error| named(&format!("cannot be read: {error}")))?.len();
    if size > LARGEST {
        return Err(named("is larger than 1MiB"));
    }
    let text = fs::read(path).map_err(|error| named(&format!("cannot be read: {error}")))?;
    KeySet::parse(&text).map_err(|error| named(&format!("is no set of keys: {error}")))
}
