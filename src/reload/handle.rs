//! What operators may ask and command while policies are reloaded.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    ByName, Reloader,
    build::Outcome,
    changes,
    ledger::Ledger,
    patch::{self, PATCHED},
    report,
};
use crate::{
    api::administration::{
        Administration, Cause, Expected, Operation, Patch, Publication, Put, Refusal, Reply, Report, Status, Target,
        Updates,
    },
    source::Content,
};

/// How often a status is told again at the most.
const BREATH: Duration = Duration::from_millis(20);

/// A hold on the reloader; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    ledger: Arc<Ledger>,
    commands: mpsc::Sender<Command>,
    again: watch::Sender<()>,
    // One folder, which is no bundle, owns everything.
    plain: bool,
}

/// What waits for its turn.
pub(super) enum Command {
    Put(Put, Answer<Report>),
    Release(Expected, Answer<Publication>),
    Patch(Patch, Answer<Publication>),
    /// Write down what is active.
    Save,
}

type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

impl Handle {
    pub(super) fn new(
        ledger: Arc<Ledger>,
        (commands, again): (mpsc::Sender<Command>, watch::Sender<()>),
        plain: bool,
    ) -> Self {
        Self { ledger, commands, again, plain }
    }

    /// Has every source look now, instead of when it would.
    pub fn look_again(&self) {
        self.again.send_replace(());
    }

    /// Whether there are bundles at all, and not one folder.
    #[must_use]
    pub fn has_bundles(&self) -> bool {
        !self.plain
    }

    fn ask<T: Send + 'static>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Reply<'_, T> {
        let (sender, receiver) = oneshot::channel();
        let sent = self.commands.try_send(command(sender)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        });
        Box::pin(async move {
            sent?;
            receiver.await.unwrap_or(Err(Refusal::Stopping))
        })
    }
}

impl Administration for Handle {
    fn status(&self) -> Status {
        report::status(&self.ledger.lock(), self.ledger.retained)
    }

    fn watch(&self) -> Updates {
        let state = (self.clone(), self.ledger.changed.subscribe(), None::<Status>);
        let updates = stream::unfold(state, |(handle, mut changed, last)| async move {
            loop {
                if last.is_some() {
                    changed.changed().await.ok()?;
                    tokio::time::sleep(BREATH).await;
                }
                changed.borrow_and_update();
                let status = handle.status();
                if last.as_ref().is_none_or(|last| ageless(last) != ageless(&status)) {
                    return Some((status.clone(), (handle, changed, Some(status))));
                }
            }
        });
        updates.boxed()
    }

    fn revisions(&self) -> Vec<Publication> {
        self.ledger.lock().publications(self.ledger.retained).collect()
    }

    fn put(&self, put: Put) -> Reply<'_, Report> {
        if self.plain || put.name == PATCHED || !self.ledger.lock().bundles.contains_key(&put.name) {
            return async move { Err(Refusal::UnknownBundle(put.name)) }.boxed();
        }
        self.ask(|answer| Command::Put(put, answer))
    }

    fn activate(&self, to: Target, expected: Expected) -> Reply<'_, Publication> {
        // Not on the task that reloads: what is being compiled there may take long.
        let done = self.ledger.activate(to, expected);
        if done.is_ok() {
            let commands = self.commands.clone();
            tokio::spawn(async move { commands.send(Command::Save).await });
        }
        async move { done }.boxed()
    }

    fn release(&self, expected: Expected) -> Reply<'_, Publication> {
        self.ask(|answer| Command::Release(expected, answer))
    }

    fn patch(&self, patch: Patch) -> Reply<'_, Publication> {
        if self.plain {
            let path = patch.operations.iter().flat_map(Operation::paths).next().unwrap_or_default();
            let refusal = Refusal::RootOwned { path: path.to_owned(), owner: super::work::PLAIN.to_owned() };
            return async move { Err(refusal) }.boxed();
        }
        self.ask(|answer| Command::Patch(patch, answer))
    }
}

impl Reloader {
    /// Does what was commanded. Nobody may be waiting for the answer any more.
    pub(super) async fn command(&mut self, command: Command) {
        match command {
            Command::Put(put, answer) => {
                let _ = answer.send(self.put(put).await);
            }
            Command::Release(expected, answer) => {
                let _ = answer.send(self.release(expected).await);
            }
            Command::Patch(patch, answer) => {
                let _ = answer.send(self.patch(patch).await);
            }
            Command::Save => self.save_active().await,
        }
    }

    async fn put(&mut self, put: Put) -> Result<Report, Refusal> {
        let Put { name, archive, dry_run, expected, allow_downgrade } = put;
        self.ledger.lock().check(expected)?;
        let job = self.job(ByName::from([(name.clone(), vec![Content::Archive(archive)])]), allow_downgrade);
        let before = job.good.get(&name).cloned();
        let built = self.build(job).await;
        let after = built.good.get(&name).cloned();
        let differ = tokio::task::spawn_blocking(move || changes::between(before.as_ref(), after.as_ref()));
        let changes = differ.await.unwrap_or_default();
        let report = Report { changes, ..report::of(&built, self.ledger.lock().active()) };
        if dry_run {
            super::ledger::drop_apart(built);
            return Ok(report);
        }
        let refused = built.failures.values().next().cloned();
        if let Some(failure) = refused {
            return Err(report::refusal(&failure));
        }
        let wanted = built.outcome.is_ready();
        // Bundles that are still missing do not make the one that was put a bad one.
        let _ = self.finish(built, Cause::Put).await;
        let inner = self.ledger.lock();
        let changed = wanted && !inner.pinned;
        Ok(Report { changed, revision: inner.active().map(super::ledger::named).unwrap_or_default(), ..report })
    }

    async fn release(&mut self, expected: Expected) -> Result<Publication, Refusal> {
        {
            let mut inner = self.ledger.lock();
            inner.check(expected)?;
            inner.pinned = false;
        }
        let built = self.build(self.job(ByName::new(), false)).await;
        let unchanged = matches!(built.outcome, Outcome::Unchanged);
        let done = self.finish(built, Cause::Release).await;
        if unchanged {
            self.save_active().await;
        }
        self.ledger.tell();
        done.map_err(|failure| report::refusal(&failure))?;
        self.active()
    }

    async fn patch(&mut self, patch: Patch) -> Result<Publication, Refusal> {
        let Patch { operations, expected } = patch;
        self.ledger.lock().check(expected)?;
        let mut job = self.job(ByName::new(), false);
        let (job, contents) = tokio::task::spawn_blocking(move || {
            let contents = patch::apply(&job, &operations);
            job.changes.clear();
            (job, contents)
        })
        .await
        .map_err(|error| Refusal::Internal(error.to_string()))?;
        let job = super::build::Job { changes: ByName::from([(PATCHED.to_owned(), contents?)]), ..job };
        let built = self.build(job).await;
        if let Some(failure) = built.failures.values().next() {
            return Err(report::refusal(failure));
        }
        self.finish(built, Cause::Patch).await.map_err(|failure| report::refusal(&failure))?;
        self.active()
    }

    fn active(&self) -> Result<Publication, Refusal> {
        self.ledger.lock().publication(self.ledger.retained).ok_or(Refusal::NotReady)
    }
}

/// A status without what changes all the time.
fn ageless(status: &Status) -> Status {
    let mut status = status.clone();
    for bundle in &mut status.bundles {
        bundle.age = None;
        bundle.source.last_attempt = None;
        bundle.source.last_success = None;
        bundle.source.next_attempt = None;
    }
    status
}
