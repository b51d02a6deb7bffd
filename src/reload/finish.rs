//! From what has arrived to what is published.

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::Instant;

use super::{
    ByName, Failure, Reloader, Tests,
    build::{self, Built, Good, Job, Outcome},
    ledger::{Held, drop_apart},
    report,
};
use crate::{api::administration::Cause, source::Content};

impl Reloader {
    pub(super) fn job(&self, changes: ByName<Vec<Content>>, downgrade: bool) -> Job {
        let documents = self.ledger.documents();
        let inner = self.ledger.lock();
        let good = |held: &Held| held.good.clone();
        Job {
            good: inner.bundles.iter().filter_map(|(name, held)| Some((name.clone(), good(held)?))).collect(),
            changes,
            rules: inner.bundles.iter().map(|(name, held)| (name.clone(), Arc::clone(&held.rules))).collect(),
            active: inner.active().cloned(),
            documents,
            options: self.settings.options,
            tests: self.settings.config.tests,
            downgrade,
        }
    }

    /// Off the threads that serve.
    pub(super) async fn build(&self, job: Job) -> Built {
        let plain = self.plain.clone();
        let task = tokio::task::spawn_blocking(move || match plain {
            Some(name) => build::plain(job, name),
            None => build::bundles(job),
        });
        task.await.unwrap_or_else(|error| Built::failed(Failure::Internal(error.to_string())))
    }

    /// Keeps what was built, writes it down, publishes it, and tells.
    pub(super) async fn finish(&mut self, built: Built, cause: Cause) -> Result<(), Arc<Failure>> {
        let Built { good, failures, taken, outcome, tests, deltas } = built;
        self.note(&good, &failures, &taken, cause);
        for name in deltas.iter().filter(|name| failures.contains_key(*name)) {
            // What a delta changes is not what its server thinks that we have.
            if let Some(forget) = self.forget.get(name) {
                let _ = forget.try_send(());
            }
        }
        if self.settings.config.tests == Tests::Warn {
            for test in tests.iter().filter(|test| test.failed()) {
                tracing::warn!(place = %test.position, "the test {}.{} of the policies fails", test.package, test.name);
            }
        }
        let sink = Arc::clone(&self.ledger.sink);
        let mut result = Ok(());
        match outcome {
            Outcome::Ready(snapshot) => {
                self.save(&good, cause).await;
                if let Err(kept) = self.ledger.publish(*snapshot, cause, &good) {
                    tracing::info!("new policies are kept until the active ones are released");
                    drop_apart(kept);
                }
            }
            Outcome::Unchanged if failures.is_empty() => {
                sink.unchanged();
            }
            Outcome::Unchanged => {}
            Outcome::Missing(names) => result = Err(Arc::new(Failure::Missing(names))),
            Outcome::Failed(failure) => result = Err(failure),
        }
        let mut told: Vec<Arc<Failure>> = Vec::new();
        for failure in result.as_ref().err().into_iter().chain(failures.values()) {
            if !told.iter().any(|known| Arc::ptr_eq(known, failure)) {
                sink.failed(failure);
                told.push(Arc::clone(failure));
            }
        }
        self.ledger.lock().failure = told.first().map(|failure| report::failure(failure));
        self.ledger.tell();
        result
    }

    /// What is known of each bundle now.
    fn note(&self, good: &ByName<Good>, failures: &ByName<Arc<Failure>>, taken: &BTreeSet<String>, cause: Cause) {
        let mut before = Vec::new();
        let mut inner = self.ledger.lock();
        for name in taken {
            let held = inner.bundles.entry(name.clone()).or_insert_with(Held::put);
            before.push(std::mem::replace(&mut held.good, good.get(name).cloned()));
            held.failure = None;
            if cause == Cause::Put && held.source.is_none() {
                held.confirmed = Some(Instant::now());
            }
        }
        for (name, failure) in failures {
            if let Some(held) = inner.bundles.get_mut(name) {
                held.failure = Some(report::failure(failure));
            }
        }
        drop(inner);
        drop_apart(before);
    }
}
