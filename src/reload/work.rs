//! The task that reloads: it takes what sources give and what operators command, one after another.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior},
};

use super::{
    ByName, Config, Failure, Feed, Handle, Sink,
    build::Rules,
    feed::{self, Event},
    handle::Command,
    keep::open,
    ledger::{Held, Ledger},
    report,
    store::Store,
};
use crate::{
    api::administration::Cause,
    policy::Options,
    source::{Content, Source},
};

/// How long nothing must arrive until what has arrived is taken for all that changed together, and how long that is
/// waited for at most.
const SETTLE: Duration = Duration::from_millis(50);
const ARRIVING: Duration = Duration::from_millis(500);

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
    pub(super) store: Option<Arc<Mutex<Store>>>,
    // Ends with this.
    _feeds: JoinSet<()>,
    events: mpsc::Receiver<Event>,
    pub(super) forget: ByName<mpsc::Sender<()>>,
    commands: mpsc::Receiver<Command>,
    handle: Handle,
    pending: ByName<Vec<Content>>,
    unanswered: BTreeSet<String>,
    start_by: Instant,
    due: Option<Instant>,
    // When the first of what is not taken in yet arrived.
    arrived: Option<Instant>,
    restored: bool,
    look: Interval,
    stale: Vec<String>,
}

/// How one thing that it did ended; `None` where it was none to speak of.
type Turn = Option<Result<(), Arc<Failure>>>;

impl Reloader {
    /// A reloader of one folder that is no bundle, which has read nothing yet.
    pub fn plain(source: Box<dyn Source>, sink: Arc<dyn Sink>, mut settings: Settings) -> Self {
        let plain = Some(source.name());
        let feed =
            Feed { name: PLAIN.to_owned(), source: Some(source), trust: None, stale_after: None, min_sequence: None };
        // A folder is read again at once.
        settings.config.store = None;
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
        let again = watch::Sender::new(());
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
                tasks.spawn(feed::run(name, source, sender.clone(), asked, again.subscribe()));
            }
        }
        let ledger = Arc::new(Ledger::new(sink, settings.config.retained.max(1), bundles));
        let store = settings.config.store.as_deref().and_then(|folder| open(folder, &ledger));
        let (sender, commands) = mpsc::channel(COMMANDS);
        let handle = Handle::new(Arc::clone(&ledger), (sender, again), plain.is_some());
        // In case that no source says anything at all.
        let start_by = Instant::now() + settings.config.start_timeout;
        let due = plain.is_none().then_some(start_by);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            start_by,
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
            due,
            arrived: None,
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
            let arrived = *self.arrived.get_or_insert(now);
            self.due = Some((now + SETTLE).min(arrived + ARRIVING));
        }
        turn
    }

    /// Takes in what has arrived.
    async fn take(&mut self) -> Result<(), Arc<Failure>> {
        let changes = std::mem::take(&mut self.pending);
        self.arrived = None;
        let job = self.job(changes, false);
        let built = self.build(job).await;
        self.finish(built, Cause::Source).await
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
