//! The task that reloads: it takes what sources give and what operators command, one after another.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior},
};

use super::{
    ByName, Config, Failure, Feed, Handle, Sink, Tests,
    build::{self, Built, Good, Job, Outcome, Rules},
    feed::{self, Event},
    handle::Command,
    ledger::{Held, Ledger},
    patch::PATCHED,
    report,
    store::{Saved, Store},
};
use crate::{
    api::administration::{Cause, Persistence},
    policy::Options,
    source::{Content, Source},
};

/// How long what arrives after each other is taken for arriving together.
const SETTLE: Duration = Duration::from_millis(50);

/// How often it is looked whether bundles are stale.
const LOOK: Duration = Duration::from_secs(1);

/// How many commands may wait.
const COMMANDS: usize = 16;

/// The bundle of a plain folder.
pub(super) const PLAIN: &str = "policies";

/// What a [`Reloader`] does everything by.
pub struct Settings {
    /// How policies are compiled.
    pub options: Options,
    /// How they are reloaded.
    pub config: Config,
}

/// Takes policies from sources to a sink, for as long as it is polled.
pub struct Reloader {
    pub(super) ledger: Arc<Ledger>,
    pub(super) settings: Settings,
    /// What the one source is called, where it is a folder that is no bundle.
    pub(super) plain: Option<String>,
    store: Option<Arc<Mutex<Store>>>,
    // Ends with this.
    _feeds: JoinSet<()>,
    events: mpsc::Receiver<Event>,
    forget: ByName<mpsc::Sender<()>>,
    commands: mpsc::Receiver<Command>,
    handle: Handle,
    pending: ByName<Vec<Content>>,
    unanswered: BTreeSet<String>,
    start_by: Instant,
    due: Option<Instant>,
    restored: bool,
    look: Interval,
    stale: Vec<String>,
}

/// How one thing that it did ended; `None` where it was none to speak of.
type Turn = Option<Result<(), Arc<Failure>>>;

impl Reloader {
    /// A reloader of one folder that is no bundle, which has read nothing yet.
    pub fn plain(source: Box<dyn Source>, sink: Arc<dyn Sink>, settings: Settings) -> Self {
        let plain = Some(source.name());
        let feed =
            Feed { name: PLAIN.to_owned(), source: Some(source), trust: None, stale_after: None, min_sequence: None };
        let settings = Settings { config: Config { store: None, ..settings.config }, ..settings };
        Self::new(vec![feed], plain, sink, settings)
    }

    /// A reloader of these bundles, which has read nothing yet.
    pub fn bundles(feeds: Vec<Feed>, sink: Arc<dyn Sink>, settings: Settings) -> Self {
        Self::new(feeds, None, sink, settings)
    }

    fn new(feeds: Vec<Feed>, plain: Option<String>, sink: Arc<dyn Sink>, settings: Settings) -> Self {
        let (sender, events) = mpsc::channel(feeds.len().max(1));
        let (mut bundles, mut forget, mut unanswered) = (ByName::new(), ByName::new(), BTreeSet::new());
        let mut tasks = JoinSet::new();
        for Feed { name, source, trust, stale_after, min_sequence } in feeds {
            bundles.insert(
                name.clone(),
                Held {
                    rules: Arc::new(Rules { trust, min_sequence }),
                    stale_after,
                    source: source.as_ref().and_then(|source| source.status()),
                    location: source.as_ref().map(|source| source.name()).unwrap_or_default(),
                    good: None,
                    activated: None,
                    confirmed: None,
                    since: Instant::now(),
                    failure: None,
                },
            );
            if let Some(source) = source {
                let (ask, asked) = mpsc::channel(1);
                forget.insert(name.clone(), ask);
                unanswered.insert(name.clone());
                tasks.spawn(feed::run(name, source, sender.clone(), asked));
            }
        }
        let ledger = Arc::new(Ledger::new(sink, settings.config.retained.max(1), bundles));
        let store = settings.config.store.as_deref().and_then(|folder| open(folder, &ledger));
        let (sender, commands) = mpsc::channel(COMMANDS);
        let handle = Handle::new(Arc::clone(&ledger), sender, plain.is_some());
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            start_by: Instant::now() + settings.config.start_timeout,
            ledger,
            settings,
            plain,
            store,
            _feeds: tasks,
            events,
            forget,
            commands,
            handle,
            pending: ByName::new(),
            unanswered,
            due: None,
            restored: false,
            look,
            stale: Vec::new(),
        }
    }

    /// For those who ask and command while this runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until policies are published for the first time, or can't be. Whether it went well is for the sink; the
    /// failure is also given back.
    pub async fn first(&mut self) -> Result<(), Arc<Failure>> {
        loop {
            if let Some(result) = self.turn().await {
                return result;
            }
        }
    }

    /// Takes in every change, forever.
    pub async fn run(mut self) {
        loop {
            self.turn().await;
        }
    }

    async fn turn(&mut self) -> Turn {
        if !self.restored {
            self.restored = true;
            if self.restore().await {
                return Some(Ok(()));
            }
        }
        let due = self.due;
        tokio::select! {
            Some(command) = self.commands.recv() => {
                self.command(command).await;
                None
            }
            Some(event) = self.events.recv() => self.event(event),
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                self.due = None;
                Some(self.take().await)
            }
            _ = self.look.tick() => {
                self.look();
                None
            }
        }
    }

    fn event(&mut self, Event { bundle, given }: Event) -> Turn {
        let first = self.unanswered.remove(&bundle);
        let mut turn = None;
        match given {
            Ok(content) => {
                if let Some(held) = self.ledger.lock().bundles.get_mut(&bundle) {
                    held.confirmed = Some(Instant::now());
                }
                self.pending.entry(bundle).or_default().push(content);
            }
            Err(error) => {
                let failure = Arc::new(Failure::Source(error));
                if let Some(held) = self.ledger.lock().bundles.get_mut(&bundle) {
                    held.failure = Some(report::failure(&failure));
                }
                self.ledger.sink.failed(&failure);
                self.ledger.tell();
                if self.plain.is_some() {
                    turn = Some(Err(failure));
                }
            }
        }
        let now = Instant::now();
        if !self.unanswered.is_empty() && now < self.start_by {
            self.due = Some(self.start_by);
        } else if self.plain.is_some() {
            self.due = (!self.pending.is_empty()).then_some(now);
        } else if first || !self.pending.is_empty() {
            self.due = Some(self.due.map_or(now + SETTLE, |due| due.min(now + SETTLE)));
        }
        turn
    }

    /// Takes in what has arrived.
    async fn take(&mut self) -> Result<(), Arc<Failure>> {
        let changes = std::mem::take(&mut self.pending);
        let job = self.job(changes, false);
        let built = self.build(job).await;
        self.finish(built, Cause::Source).await
    }

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
        self.note(&good, &failures, &taken);
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
                if self.ledger.publish(*snapshot, cause, &good).is_none() {
                    tracing::info!("new policies are kept until the active ones are released");
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
    fn note(&self, good: &ByName<Good>, failures: &ByName<Arc<Failure>>, taken: &BTreeSet<String>) {
        let mut inner = self.ledger.lock();
        for name in taken {
            let held = inner.bundles.entry(name.clone()).or_insert_with(Held::put);
            held.good = good.get(name).cloned();
            held.failure = None;
        }
        for (name, failure) in failures {
            if let Some(held) = inner.bundles.get_mut(name) {
                held.failure = Some(report::failure(failure));
            }
        }
    }

    /// Writes down what is about to be published. If that fails, it is published all the same: decisions matter more
    /// than what a restart finds, and the status and the log tell.
    async fn save(&self, good: &ByName<Good>, cause: Cause) {
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

    async fn write(&self, number: (u64, bool), kept: ByName<super::store::Kept>, good: ByName<Good>) {
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
    async fn restore(&mut self) -> bool {
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

    /// Tells which bundles are stale, when that changes.
    fn look(&mut self) {
        let stale: Vec<String> = {
            let inner = self.ledger.lock();
            let stale = inner.bundles.iter().filter(|(_, held)| held.is_stale());
            stale.map(|(name, _)| name.clone()).collect()
        };
        if stale != self.stale {
            self.ledger.sink.stale(&stale);
            self.stale = stale;
            self.ledger.tell();
        }
    }
}

fn open(folder: &Path, ledger: &Ledger) -> Option<Arc<Mutex<Store>>> {
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
