//! How a source fares, for others to read while it works.
//!
//! Times are the runtime's instants, as this component does not read the wall clock.

use tokio::{sync::watch, time::Instant};

use super::{Content, Next, Source, spec::Kind};

/// How a source fares, at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it is: an URL without secrets, or a path.
    pub name: String,
    /// What kind of source it is.
    pub kind: Kind,
    /// How often it was asked. What is watched on disk counts what it found only.
    pub attempts: u64,
    /// When it was last asked.
    pub last_attempt: Option<Instant>,
    /// When it last answered well, with something new or without.
    pub last_success: Option<Instant>,
    /// When it last gave something new.
    pub last_change: Option<Instant>,
    /// How often it failed since it last answered well.
    pub failures: u32,
    /// Why it failed, if it failed last: a text without secrets.
    pub last_error: Option<String>,
    /// When it will be asked again; `None` while it is being asked, and for what is watched.
    pub next_attempt: Option<Instant>,
    /// What it calls the content that was last given: an ETag, or the digest of a registry's layer.
    pub etag: Option<String>,
}

/// A place where a source's [`Report`] can always be read. Cheap to clone and to read.
#[derive(Clone, Debug)]
pub struct Status(watch::Receiver<Report>);

/// Who writes the report.
#[derive(Debug)]
pub(super) struct Teller(watch::Sender<Report>);

/// A source on this machine, whose report tells what it gave.
pub(super) struct Observed<S> {
    source: S,
    teller: Teller,
}

impl Status {
    /// How it fares now.
    #[must_use]
    pub fn report(&self) -> Report {
        self.0.borrow().clone()
    }

    /// Waits until the report is another than when this was last called; `false` if the source is gone.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

impl Teller {
    pub(super) fn new(name: String, kind: Kind) -> Self {
        Self(watch::Sender::new(Report {
            name,
            kind,
            attempts: 0,
            last_attempt: None,
            last_success: None,
            last_change: None,
            failures: 0,
            last_error: None,
            next_attempt: None,
            etag: None,
        }))
    }

    pub(super) fn status(&self) -> Status {
        Status(self.0.subscribe())
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut Report)) {
        self.0.send_modify(change);
    }

    /// It is being asked.
    pub(super) fn attempt(&self) {
        self.tell(|report| {
            report.attempts += 1;
            report.last_attempt = Some(Instant::now());
            report.next_attempt = None;
        });
    }

    /// It answered well.
    pub(super) fn success(&self, changed: bool) {
        self.tell(|report| {
            let now = Instant::now();
            report.last_success = Some(now);
            if changed {
                report.last_change = Some(now);
            }
            report.failures = 0;
            report.last_error = None;
        });
    }

    /// It did not answer well.
    pub(super) fn failure(&self, error: String) {
        self.tell(|report| {
            report.failures = report.failures.saturating_add(1);
            report.last_error = Some(error);
        });
    }
}

impl<S: Source> Observed<S> {
    pub(super) fn new(source: S, kind: Kind) -> Self {
        let teller = Teller::new(source.name(), kind);
        Self { source, teller }
    }
}

impl<S: Source> Source for Observed<S> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            let found: Result<Content, _> = self.source.next().await;
            self.teller.attempt();
            match &found {
                Ok(_) => self.teller.success(true),
                Err(error) => self.teller.failure(super::fault::chain(error)),
            }
            found
        })
    }

    fn forget(&mut self) {
        self.source.forget();
    }

    fn status(&self) -> Option<Status> {
        Some(self.teller.status())
    }
}
