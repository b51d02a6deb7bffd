//! What becomes of full files: they are compressed beside the sink's own work, and the oldest removed.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{
            AtomicUsize,
            Ordering::{Acquire, Release},
        },
    },
    thread::JoinHandle,
};

use super::{File, head::beside, open};
use crate::audit::{
    config::{Compression, Rotation},
    sink::files::{Found, find},
};

/// The lowest priority there is.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// The thread that has full files in hand.
pub(super) struct Compressing {
    thread: JoinHandle<()>,
    /// How many more files became full meanwhile.
    rotations: Arc<AtomicUsize>,
}

/// A log's full files, and what is wanted of them.
pub(super) struct Tidy {
    pub(super) path: PathBuf,
    pub(super) rotation: Rotation,
    /// Whether the disk has to have what is there.
    pub(super) sync: bool,
    /// How many more files became full meanwhile.
    pub(super) rotations: Arc<AtomicUsize>,
}

/// What could not be done with a file.
type Failed = Vec<(PathBuf, io::Error)>;

/// Asks before each piece whether to read on.
struct Asking<R, G> {
    from: R,
    go_on: G,
}

impl File {
    /// Compresses what is full and is not compressed yet, and removes the oldest, on a thread of its own.
    pub(super) fn compress_full_ones(&mut self) {
        if let Some(before) = self.compressing.take_if(|compressing| compressing.thread.is_finished()) {
            before.end();
        }
        if let Some(compressing) = &self.compressing {
            // It removes what is too old now; to compress this one is done at the next rotation.
            compressing.rotations.fetch_add(1, Release);
            return;
        }
        let rotations = Arc::<AtomicUsize>::default();
        let (path, rotation, sync) = (self.path.clone(), self.rotation, self.sync);
        let tidy = Tidy { path, rotation, sync, rotations: Arc::clone(&rotations) };
        let work = move || {
            stand_back();
            for (file, error) in tidy.all() {
                tracing::error!(file = %file.display(), "a full file can't be compressed or removed: {error}");
            }
        };
        let thread = std::thread::Builder::new().name("log compression".to_owned()).spawn(work);
        self.compressing = thread.ok().map(|thread| Compressing { thread, rotations });
    }
}

impl Compressing {
    /// Waits for what is in hand.
    pub(super) fn end(self) {
        let _ = self.thread.join();
    }
}

/// Has this thread stand back behind those that decide: there is time for full files when there is time.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "can't lower the priority of compression");
    }
}

impl Tidy {
    /// Does what can be done, and says what can't.
    pub(super) fn all(&self) -> Failed {
        let rotations = self.rotations.load(Acquire);
        let (kept, mut failed) = self.remove_old();
        if self.rotation.compression == Compression::None {
            return failed;
        }
        let is_packed = |file: &Found| file.path.extension().is_some_and(|ending| ending == "gz" || ending == "zst");
        for file in kept.into_iter().filter(|file| !is_packed(file)) {
            let packed = self.compress(&file.path, rotations);
            // One that is gone has become too old meanwhile.
            failed.extend(packed.err().filter(|_| file.path.exists()).map(|error| (file.path, error)));
        }
        failed
    }

    /// Removes all but the newest full files; what is left, and what can't be removed.
    fn remove_old(&self) -> (Vec<Found>, Failed) {
        let found = match find(&self.path) {
            Ok(found) => found,
            Err(error) => return (Vec::new(), vec![(self.path.clone(), error)]),
        };
        let mut full: Vec<_> = found.into_iter().filter(|file| file.number != u64::MAX).collect();
        let kept = full.split_off(full.len().saturating_sub(self.rotation.keep));
        let remove = |file: Found| fs::remove_file(&file.path).err().map(|error| (file.path, error));
        (kept, full.into_iter().filter_map(remove).collect())
    }

    /// Compresses a file that was not too old after so many rotations.
    pub(super) fn compress(&self, path: &Path, mut rotations: usize) -> io::Result<()> {
        let gzip = self.rotation.compression == Compression::Gzip;
        let packed = beside(path, if gzip { ".gz" } else { ".zst" });
        let new = beside(path, ".new");
        let go_on = || {
            let now = self.rotations.load(Acquire);
            if now == rotations {
                return Ok(());
            }
            // What can't be removed is told at the next rotation.
            rotations = now;
            self.remove_old();
            fs::metadata(path).map(|_| ())
        };
        let from = Asking { from: fs::File::open(path)?, go_on };
        pack(from, &new, gzip).and_then(|()| fs::rename(&new, &packed)).inspect_err(|_| {
            // What is left takes room that the log needs.
            let _ = fs::remove_file(&new);
        })?;
        if self.sync {
            // The disk has the one before the other is gone.
            open::sync_name(path)?;
        }
        fs::remove_file(path)?;
        if self.sync { open::sync_name(path) } else { Ok(()) }
    }
}

impl<R: Read, G: FnMut() -> io::Result<()>> Read for Asking<R, G> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.go_on)()?;
        self.from.read(buffer)
    }
}

fn pack(mut from: impl Read, new: &Path, gzip: bool) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let to = options.create(true).truncate(true).write(true).mode(0o600).open(new)?;
    let to = if gzip {
        let mut encoder = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
        io::copy(&mut from, &mut encoder)?;
        encoder.finish()?
    } else {
        let mut encoder = zstd::Encoder::new(to, 3)?;
        io::copy(&mut from, &mut encoder)?;
        encoder.finish()?
    };
    to.sync_all()
}
