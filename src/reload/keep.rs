//! Writing down what is published, and starting on it again.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    ByName, Reloader,
    build::{Good, Outcome},
    ledger::{Held, Ledger},
    patch::PATCHED,
    store::{Kept, Saved, Store},
};
use crate::api::administration::{Cause, Persistence};

impl Reloader {
    /// Writes down what is about to be published. If that fails, it is published all the same: decisions matter more
    /// than what a restart finds, and the status and the log tell.
    pub(super) async fn save(&self, good: &ByName<Good>, cause: Cause) {
        let number = {
            let inner = self.ledger.lock();
            if inner.pinned && cause != Cause::Restored {
                return;
            }
            (inner.sequence + 1, inner.pinned)
        };
        let kept = good.iter().map(|(name, good)| (name.clone(), good.kept())).collect();
        self.write(number, kept, good.clone()).await;
    }

    /// Writes down what is active, of which the content is on disk already.
    pub(super) async fn save_active(&self) {
        let (number, kept) = {
            let inner = self.ledger.lock();
            let Some(record) = inner.published.front() else { return };
            ((inner.sequence, inner.pinned), record.kept.clone())
        };
        let good = self.job(ByName::new(), false).good;
        self.write(number, kept, good).await;
    }

    async fn write(&self, number: (u64, bool), kept: ByName<Kept>, good: ByName<Good>) {
        let Some(store) = self.store.clone() else { return };
        let mut needed = self.ledger.lock().needed(self.ledger.retained);
        needed.extend(good.values().map(|good| good.digest));
        let task = tokio::task::spawn_blocking(move || {
            store.lock().unwrap_or_else(PoisonError::into_inner).save(number, &kept, &good, &needed)
        });
        let written = task.await.map_err(|error| error.to_string());
        let persistence = match written.and_then(|written| written.map_err(|error| error.to_string())) {
            Ok(()) => Persistence::Done,
            Err(error) => {
                tracing::error!(
                    "the policies can't be written to `bundles.store`, and won't outlive the process: {error}"
                );
                Persistence::Failed(error)
            }
        };
        self.ledger.lock().persistence = persistence;
        self.ledger.tell();
    }

    /// Publishes the last good set; whether there was one.
    pub(super) async fn restore(&mut self) -> bool {
        let Some(store) = self.store.clone() else { return false };
        let load = move || store.lock().unwrap_or_else(PoisonError::into_inner).load();
        let loaded = tokio::task::spawn_blocking(load).await.map_err(std::io::Error::other);
        let Saved { sequence, pinned, good } = match loaded.and_then(|loaded| loaded) {
            Ok(Some(saved)) => saved,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!("what `bundles.store` has is passed over: {error}");
                return false;
            }
        };
        {
            let mut inner = self.ledger.lock();
            inner.sequence = sequence;
            for (name, good) in good {
                if name == PATCHED {
                    inner.bundles.insert(name, Held { good: Some(good), ..Held::put() });
                } else if let Some(held) = inner.bundles.get_mut(&name) {
                    match held.rules.restored(&good) {
                        Ok(good) => held.good = Some(good),
                        Err(cause) => tracing::warn!("bundle `{name}` of `bundles.store` is passed over: {cause}"),
                    }
                }
            }
        }
        let job = self.job(ByName::new(), false);
        let built = self.build(job).await;
        if let Outcome::Missing(names) = &built.outcome {
            tracing::info!(?names, "`bundles.store` does not have every bundle; waiting for the sources");
            return false;
        }
        if self.finish(built, Cause::Restored).await.is_err() {
            return false;
        }
        self.ledger.lock().pinned = pinned;
        tracing::info!(after = sequence, pinned, "serving the last good policies of `bundles.store`");
        true
    }
}

/// The store, if it can be used.
pub(super) fn open(folder: &Path, ledger: &Ledger) -> Option<Arc<Mutex<Store>>> {
    match Store::open(folder) {
        Ok(store) => {
            ledger.lock().persistence = Persistence::Pending;
            Some(Arc::new(Mutex::new(store)))
        }
        Err(error) => {
            tracing::error!(
                "`bundles.store` can't be used, and nothing will outlive the process: {}: {error}",
                folder.display()
            );
            ledger.lock().persistence = Persistence::Failed(error.to_string());
            None
        }
    }
}
