//! A transmitter's keys: a file, read again where a token needs a key that is not there, or what is fetched for us.

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;

use super::config::KeysAt;
use crate::identity::KeySet;

/// The shortest time between two readings, however many tokens have keys that are not there.
const AGAIN: Duration = Duration::from_secs(5);

/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;

/// What ends once keys were fetched anew; none where that was done a short time ago.
pub type Refresh = dyn Fn() -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> + Send + Sync;

pub(super) struct Keys {
    set: ArcSwapOption<KeySet>,
    from: From,
}

enum From {
    File(PathBuf, Mutex<Instant>),
    Elsewhere(OnceLock<Box<Refresh>>),
}

impl Keys {
    pub(super) fn open(at: &KeysAt) -> Result<Self, String> {
        let (set, from) = match at {
            KeysAt::File(path) => (Some(read(path)?), From::File(path.clone(), Mutex::new(Instant::now()))),
            KeysAt::Url { .. } => (None, From::Elsewhere(OnceLock::new())),
        };
        Ok(Self { set: ArcSwapOption::from_pointee(set), from })
    }

    /// The keys, if there are any yet.
    pub(super) fn now(&self) -> Option<Arc<KeySet>> {
        self.set.load_full()
    }

    pub(super) fn publish(&self, keys: Option<KeySet>) {
        self.set.store(keys.map(Arc::new));
    }

    /// Who is asked for newer keys; the first counts.
    pub(super) fn refresh_by(&self, refresh: Box<Refresh>) {
        if let From::Elsewhere(by) = &self.from {
            let _ = by.set(refresh);
        }
    }

    /// Whether there are other keys than before. Asked only for tokens that say to be the transmitter's.
    pub(super) async fn again(&self) -> bool {
        match &self.from {
            From::File(path, last) => self.read_again(path, last),
            From::Elsewhere(by) => {
                let before = self.now();
                let Some(refreshed) = by.get().and_then(|refresh| refresh()) else { return false };
                refreshed.await;
                before != self.now()
            }
        }
    }

    fn read_again(&self, path: &Path, last: &Mutex<Instant>) -> bool {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < AGAIN {
            return false;
        }
        *last = Instant::now();
        drop(last);
        match read(path) {
            Ok(set) if self.now().as_deref() != Some(&set) => {
                self.publish(Some(set));
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
