//! A folder on disk, read whole and watched.
//!
//! The system's change events say only *when* to look. What is given is decided by looking: list, watch, read, list
//! again, and give only if both lists agree and the digest of the content is new. A poll makes up for lost events.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    select,
    sync::Notify,
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, sleep_until, timeout_at},
};

use self::{
    read::{Content, Digest},
    scan::{LIMITS, Scan},
    watch::Arm,
};
pub(super) use self::{
    scan::{Stamp, Watches, trail},
    watch::{Armed, arm},
};
use super::{Error, File, Next, Source};

mod read;
mod scan;
#[cfg(test)]
mod tests;
mod watch;

/// A folder that is busy for longer than this is read all the same, unless the settings ask for more quiet.
const BUSY_AT_MOST: Duration = Duration::from_millis(250);
/// How often to look where the system does not tell of changes.
const UNWATCHED_POLL: Duration = Duration::from_millis(250);
/// No settings make the poll a busy loop.
const SHORTEST_POLL: Duration = Duration::from_millis(10);
/// No settings are so large that a deadline cannot be computed.
const LONGEST: Duration = Duration::from_hours(24);
/// Looking takes at most about a tenth of the time, however large the folder.
const POLL_SHARE: u32 = 10;
/// How many looks in a row may find the folder changing under them before that is given as a failure.
const RESTLESS_LOOKS: u32 = 20;

/// A folder of policies that is watched for changes.
pub struct Folder {
    path: PathBuf,
    settle: Duration,
    poll_interval: Duration,
    arm: Arm,
    changed: Arc<Notify>,
    armed: Armed,
    stage: Stage,
    next_poll: Instant,
    given: Given,
    /// The list that went with the last good look.
    seen: Option<Scan>,
    /// Whether the content was read twice under that list. A file written twice within a tick of the file system's
    /// clock has the same list with different content, so one reading is not enough to trust the list.
    confirmed: bool,
    restless: u32,
}

/// INVARIANT: nothing that `next` has learned is held anywhere but here, so that its future can be dropped.
enum Stage {
    Start,
    Wait,
    Settle { latest: Instant },
    Check(JoinHandle<Check>),
    Look(JoinHandle<Look>),
}

#[derive(PartialEq, Eq)]
enum Given {
    Nothing,
    Content(Digest),
    Failure(String),
}

/// A cheap look, at the list alone.
struct Check {
    scan: Scan,
    found: Result<(), Error>,
    took: Duration,
}

/// A look at everything.
struct Look {
    scan: Scan,
    found: Result<Content, Error>,
    armed: Armed,
    took: Duration,
}

/// Reads the policies and data of a folder once: files named `*.rego`, `data.json`, `data.yaml` and `data.yml` at any
/// depth, sorted by path. Hidden files and folders are passed over; links are followed. Blocks.
pub fn read_folder(path: &Path) -> Result<Vec<File>, Error> {
    read::whole(path, &LIMITS, |_| ()).1.map(|content| content.files)
}

impl Folder {
    /// A folder that is read after `settle` of quiet, and looked at every `poll_interval` even without an event.
    /// Nothing is touched before the first [`Source::next`].
    pub fn new(path: PathBuf, settle: Duration, poll_interval: Duration) -> Self {
        Self::with(path, settle, poll_interval, watch::arm)
    }

    fn with(path: PathBuf, settle: Duration, poll_interval: Duration, arm: Arm) -> Self {
        Self {
            path,
            settle: settle.min(LONGEST),
            poll_interval: poll_interval.clamp(SHORTEST_POLL, LONGEST),
            arm,
            changed: Arc::default(),
            armed: Armed::default(),
            stage: Stage::Start,
            next_poll: Instant::now(),
            given: Given::Nothing,
            seen: None,
            confirmed: false,
            restless: 0,
        }
    }

    /// As [`Source::next`], without its box.
    pub async fn files(&mut self) -> Result<Vec<File>, Error> {
        loop {
            match &mut self.stage {
                Stage::Start => self.stage = self.look(),
                Stage::Wait => {
                    select! {
                        () = self.changed.notified() => self.stage = self.unsettled(),
                        () = sleep_until(self.next_poll) => self.stage = self.check(),
                    }
                }
                Stage::Settle { latest } => {
                    let latest = *latest;
                    let quiet = latest.min(Instant::now() + self.settle);
                    let stirred = timeout_at(quiet, self.changed.notified()).await.is_ok();
                    if !stirred || Instant::now() >= latest {
                        self.stage = self.look();
                    }
                }
                Stage::Check(job) => {
                    let check = job.await;
                    self.stage = self.checked(check);
                }
                Stage::Look(job) => {
                    let look = job.await;
                    self.stage = Stage::Wait;
                    if let Some(given) = self.looked(look) {
                        return given;
                    }
                }
            }
        }
    }

    fn unsettled(&self) -> Stage {
        Stage::Settle { latest: Instant::now() + self.settle.max(BUSY_AT_MOST) }
    }

    fn check(&self) -> Stage {
        let path = self.path.clone();
        Stage::Check(spawn_blocking(move || {
            let start = Instant::now();
            let (scan, found) = Scan::of(&path, &LIMITS);
            Check { scan, found, took: start.elapsed() }
        }))
    }

    fn look(&self) -> Stage {
        let (path, arm, changed) = (self.path.clone(), self.arm, Arc::clone(&self.changed));
        Stage::Look(spawn_blocking(move || {
            let start = Instant::now();
            // Armed afresh each time: a watch is on an inode, and the path may lead to another one by now.
            let mut armed = Armed::default();
            let (scan, found) = read::whole(&path, &LIMITS, |watches| armed = arm(watches, Arc::clone(&changed)));
            Look { scan, found, armed, took: start.elapsed() }
        }))
    }

    fn checked(&mut self, check: Result<Check, JoinError>) -> Stage {
        let Ok(Check { scan, found, took }) = check else {
            return self.unsettled(); // the look that follows says what is wrong
        };
        self.poll_after(took);
        let known = match (&self.given, found) {
            (Given::Content(_), Ok(())) => self.confirmed && self.seen.as_ref() == Some(&scan),
            (Given::Failure(given), Err(error)) => *given == key(&error),
            _ => false,
        };
        if known { Stage::Wait } else { self.unsettled() }
    }

    fn looked(&mut self, look: Result<Look, JoinError>) -> Option<Result<Vec<File>, Error>> {
        let found = match look {
            Ok(look) => {
                self.replace(look.armed);
                self.poll_after(look.took);
                look.found.map(|content| (look.scan, content))
            }
            Err(cause) => {
                self.poll_after(Duration::ZERO);
                Err(Error::BrokenOff { path: self.path.clone(), cause })
            }
        };
        match found {
            Err(Error::Restless { .. }) if self.restless < RESTLESS_LOOKS => {
                self.restless += 1;
                self.stage = self.unsettled();
                None
            }
            Ok((scan, content)) => {
                self.restless = 0;
                let given = Given::Content(content.digest);
                self.confirmed = self.given == given && self.seen.as_ref() == Some(&scan);
                self.seen = Some(scan);
                self.give(given).then_some(Ok(content.files))
            }
            Err(error) => {
                self.restless = 0;
                self.give(Given::Failure(key(&error))).then_some(Err(error))
            }
        }
    }

    /// Whether this is something else than was last given.
    fn give(&mut self, given: Given) -> bool {
        let new = self.given != given;
        self.given = given;
        new
    }

    fn replace(&mut self, armed: Armed) {
        match &armed.failure {
            Some(failure) if self.armed.failure != armed.failure => tracing::warn!(
                folder = %self.path.display(),
                "the policy folder cannot be watched ({failure}), so it is looked at every {} ms; if a limit is the \
                 cause, raise fs.inotify.max_user_watches or fs.inotify.max_user_instances with sysctl",
                self.interval(&armed).as_millis(),
            ),
            None if self.armed.failure.is_some() => {
                tracing::info!(folder = %self.path.display(), "the policy folder is watched again");
            }
            _ => {}
        }
        self.armed = armed;
    }

    fn interval(&self, armed: &Armed) -> Duration {
        let interval = self.poll_interval;
        if armed.failure.is_some() { interval.min(UNWATCHED_POLL) } else { interval }
    }

    fn poll_after(&mut self, took: Duration) {
        self.next_poll = Instant::now() + self.interval(&self.armed).max(took * POLL_SHARE);
    }
}

impl Source for Folder {
    fn name(&self) -> String {
        format!("folder {}", self.path.display())
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(async { self.files().await.map(super::Content::Files) })
    }

    fn look_again(&mut self) {
        self.changed.notify_one();
    }
}

/// What tells one failure from another.
fn key(error: &Error) -> String {
    match error {
        Error::BrokenOff { .. } => "broken off".to_owned(), // the cause names the task, and each look is another
        error => format!("{error:?}"),
    }
}
