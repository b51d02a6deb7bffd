//! Full files: renamed, compressed beside the sink's own work, the oldest removed; and the head, by which the end of a
//! chain is known.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{File, hold::is_there, open};
use crate::audit::{
    chain::hex,
    config::Compression,
    sink::{
        Failure,
        files::{find, full_name},
    },
};

/// The lowest priority there is.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

impl File {
    /// Whether another file is to be begun.
    pub(super) fn is_full(&self) -> bool {
        self.at.length > 0
            && (self.at.length >= self.rotation.max_bytes || self.since.elapsed() >= self.rotation.max_age)
    }

    /// Puts the file aside, and begins another one.
    pub(super) fn rotate(&mut self) -> Result<(), Failure> {
        let fails = |what: &str, error: io::Error| Failure::new(format!("`{}` {what}: {error}", self.path.display()));
        let found = find(&self.path).map_err(|error| fails("can't be rotated", error))?;
        let last = found.iter().rev().find(|file| file.number != u64::MAX).map_or(0, |file| file.number);
        self.open.sync_all().map_err(|error| fails("can't be written", error))?;
        // Else it was put aside before: the next one could not be begun then, or somebody else did it.
        if is_there(&self.open, &self.path).map_err(|error| fails("can't be rotated", error))? {
            let renamed = fs::rename(&self.path, full_name(&self.path, last + 1));
            renamed.map_err(|error| fails("can't be rotated", error))?;
        }
        let opened = open::open(&self.path, false, self.sync).map_err(Failure::new)?;
        (self.open, self.at.length, self.since) = (opened.file, opened.length, Instant::now());
        (self.kept, self.unnamed) = (self.at, self.sync);
        self.compress_full_ones();
        self.sync_name().map_err(|error| self.failure("can't be written", &error))
    }

    /// Compresses what is full and is not compressed yet, and removes the oldest, on a thread of its own.
    pub(super) fn compress_full_ones(&mut self) {
        if let Some(before) = self.compressing.take_if(|thread| thread.is_finished()) {
            let _ = before.join();
        }
        if self.compressing.is_some() {
            // It is done at the next rotation.
            return;
        }
        let (path, sync, rotation) = (self.path.clone(), self.sync, self.rotation);
        let work = move || {
            stand_back();
            if let Err(error) = tidy(&path, rotation.compression, rotation.keep, sync) {
                tracing::error!(file = %path.display(), "full files can't be compressed or removed: {error}");
            }
        };
        self.compressing = std::thread::Builder::new().name("log compression".to_owned()).spawn(work).ok();
    }

    /// Writes where the chain is: a chain that ends before was cut.
    pub(super) fn write_head(&self) {
        if self.chain.is_none() {
            return;
        }
        let state = &self.at.state;
        let text = format!("{} {}\n", state.seq - 1, hex(&state.prev));
        let head = head_name(&self.path);
        let mut new = head.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        let written = options.open(&new).and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written.and_then(|()| fs::rename(&new, &head)) {
            tracing::warn!(file = %head.display(), "the head of the chain can't be written: {error}");
        }
    }
}

/// Has this thread stand back behind those that decide: there is time for full files when there is time.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "can't lower the priority of compression");
    }
}

/// Where the head of a file's chain is kept.
pub(in crate::audit) fn head_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".head");
    PathBuf::from(name)
}

fn tidy(path: &Path, compression: Compression, keep: usize, sync: bool) -> io::Result<()> {
    let full: Vec<_> = find(path)?.into_iter().filter(|file| file.number != u64::MAX).collect();
    let (old, kept) = full.split_at(full.len().saturating_sub(keep));
    for file in old {
        fs::remove_file(&file.path)?;
    }
    for file in kept {
        let packed = file.path.extension().is_some_and(|extension| extension == "gz" || extension == "zst");
        if !packed && compression != Compression::None {
            compress(&file.path, compression, sync)?;
        }
    }
    Ok(())
}

fn compress(path: &Path, compression: Compression, sync: bool) -> io::Result<()> {
    let suffixed = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let packed = suffixed(if compression == Compression::Gzip { ".gz" } else { ".zst" });
    let new = suffixed(".new");
    let mut from = fs::File::open(path)?;
    let mut options = fs::OpenOptions::new();
    let to = options.create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    let to = if compression == Compression::Gzip {
        let mut encoder = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
        io::copy(&mut from, &mut encoder)?;
        encoder.finish()?
    } else {
        let mut encoder = zstd::Encoder::new(to, 3)?;
        io::copy(&mut from, &mut encoder)?;
        encoder.finish()?
    };
    to.sync_all()?;
    fs::rename(&new, &packed)?;
    if sync {
        // The disk has the one before the other is gone.
        open::sync_name(path)?;
    }
    fs::remove_file(path)?;
    if sync { open::sync_name(path) } else { Ok(()) }
}
