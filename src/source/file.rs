//! One archive on disk, watched.
//!
//! As with a folder, the system's events say only when to look, and a poll makes up for lost ones. What is given is
//! decided by looking, and only if the file was the same before and after.

use std::{
    fs,
    io::{self, Read as _},
    path::{self, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    select,
    sync::Notify,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep, sleep_until},
};

use super::{
    Content, Error, Next, Source,
    directory::{Armed, Stamp, Watches, arm, trail},
    fault::chain,
    retry::Digest,
};

/// How often to look where the system does not tell of changes.
const UNWATCHED_POLL: Duration = Duration::from_secs(1);
/// How many looks in a row may find the file changing before that is given as a failure.
const RESTLESS_LOOKS: u32 = 20;
const SHORTEST: Duration = Duration::from_millis(10);

/// An archive on disk.
pub(super) struct File {
    path: PathBuf,
    settle: Duration,
    poll: Duration,
    limit: u64,
    changed: Arc<Notify>,
    armed: Armed,
    stage: Stage,
    given: Given,
    /// What the file was when it was last read.
    seen: Option<Stamp>,
    /// Whether it was read twice as that. A file written twice within a tick of the file system's clock looks the same
    /// with different content, so one reading is not enough to trust the look of it.
    confirmed: bool,
    restless: u32,
}

/// INVARIANT: nothing that `next` has learned is held anywhere but here, so that its future can be dropped.
enum Stage {
    Wait(Instant),
    Settle,
    Look(JoinHandle<Look>),
}

#[derive(PartialEq, Eq)]
enum Given {
    Nothing,
    Content(Digest),
    Failure(String),
}

struct Look {
    armed: Armed,
    /// Nothing, if it still is what it was.
    found: Result<Option<Found>, Error>,
}

struct Found {
    stamp: Stamp,
    bytes: Vec<u8>,
    digest: Digest,
}

impl File {
    /// An archive that is read after `settle` of quiet, looked at every `poll` without an event, and has at most
    /// `limit` bytes.
    pub(super) fn new(path: PathBuf, settle: Duration, poll: Duration, limit: u64) -> Self {
        Self {
            path,
            settle,
            poll: poll.max(SHORTEST),
            limit,
            changed: Arc::default(),
            armed: Armed::default(),
            stage: Stage::Wait(Instant::now()),
            given: Given::Nothing,
            seen: None,
            confirmed: false,
            restless: 0,
        }
    }

    async fn archive(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            match &mut self.stage {
                Stage::Wait(until) => select! {
                    () = self.changed.notified() => self.stage = Stage::Settle,
                    () = sleep_until(*until) => self.stage = self.look(),
                },
                Stage::Settle => {
                    sleep(self.settle).await;
                    self.stage = self.look();
                }
                Stage::Look(job) => {
                    let look = job.await;
                    let found = match look {
                        Ok(look) => {
                            self.armed = look.armed;
                            look.found
                        }
                        Err(cause) => Err(Error::BrokenOff { path: self.path.clone(), cause }),
                    };
                    let poll = if self.armed.failure.is_some() { self.poll.min(UNWATCHED_POLL) } else { self.poll };
                    self.stage = Stage::Wait(Instant::now() + poll);
                    if let Some(given) = self.looked(found) {
                        return given;
                    }
                }
            }
        }
    }

    fn look(&self) -> Stage {
        let (path, limit, changed) = (self.path.clone(), self.limit, Arc::clone(&self.changed));
        let known = self.seen.filter(|_| self.confirmed && matches!(self.given, Given::Content(_)));
        Stage::Look(spawn_blocking(move || {
            let mut watches = Watches::new();
            let real = path::absolute(&path).ok().and_then(|path| trail(PathBuf::new(), &path, &mut watches));
            // Armed before it is read: what changes from here on is told.
            let armed = arm(&watches, changed);
            let found = match real {
                Some(_) => read(&path, limit, known),
                None => Err(Error::NoArchive { path: path.clone() }),
            };
            Look { armed, found }
        }))
    }

    fn looked(&mut self, found: Result<Option<Found>, Error>) -> Option<Result<Vec<u8>, Error>> {
        match found {
            Err(Error::Restless { .. }) if self.restless < RESTLESS_LOOKS => {
                self.restless += 1;
                self.stage = Stage::Settle;
                None
            }
            Ok(None) => None,
            Ok(Some(Found { stamp, bytes, digest })) => {
                self.restless = 0;
                self.confirmed = self.seen == Some(stamp);
                self.seen = Some(stamp);
                self.give(Given::Content(digest)).then_some(Ok(bytes))
            }
            Err(error) => {
                self.restless = 0;
                self.give(Given::Failure(chain(&error))).then_some(Err(error))
            }
        }
    }

    /// Whether this is something else than was last given.
    fn give(&mut self, given: Given) -> bool {
        let new = self.given != given;
        self.given = given;
        new
    }
}

impl Source for File {
    fn name(&self) -> String {
        format!("bundle {}", self.path.display())
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(async { self.archive().await.map(Content::Archive) })
    }

    fn forget(&mut self) {
        self.given = Given::Nothing;
    }

    fn look_again(&mut self) {
        self.changed.notify_one();
    }
}

/// Reads a file whole, if it is one file from beginning to end, and not the known one.
fn read(path: &Path, limit: u64, known: Option<Stamp>) -> Result<Option<Found>, Error> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => Error::NoArchive { path: path.to_owned() },
        _ => Error::Read { path: path.to_owned(), cause },
    };
    // Asked before it is opened: opening a pipe would wait for a writer.
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::NotFile { path: path.to_owned() });
    }
    if known == Some(Stamp::of(&metadata)) {
        return Ok(None);
    }
    let mut file = fs::File::open(path).map_err(failed)?;
    let before = file.metadata().map_err(failed)?;
    if before.len() > limit {
        return Err(Error::LargeArchive { path: path.to_owned(), limit });
    }
    let mut bytes = Vec::new();
    file.by_ref().take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    let after = file.metadata().map_err(failed)?;
    let stamp = Stamp::of(&before);
    let named = fs::metadata(path).map_err(failed)?;
    if stamp != Stamp::of(&after) || stamp != Stamp::of(&named) || bytes.len() as u64 != stamp.size {
        return Err(Error::Restless { path: path.to_owned() });
    }
    let digest = Sha256::digest(&bytes).into();
    Ok(Some(Found { stamp, bytes, digest }))
}
