//! What becomes of full files: they are compressed beside the sink's own work, and the oldest removed.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{File, head::beside, open};
use crate::audit::{config::Compression, sink::files::find};

/// The lowest priority there is.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

impl File {
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
            for (file, error) in tidy(&path, rotation.compression, rotation.keep, sync) {
                tracing::error!(file = %file.display(), "a full file can't be compressed or removed: {error}");
            }
        };
        self.compressing = std::thread::Builder::new().name("log compression".to_owned()).spawn(work).ok();
    }
}

/// Has this thread stand back behind those that decide: there is time for full files when there is time.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "can't lower the priority of compression");
    }
}

/// Does what can be done, and says what can't.
pub(super) fn tidy(path: &Path, compression: Compression, keep: usize, sync: bool) -> Vec<(PathBuf, io::Error)> {
    let found = match find(path) {
        Ok(found) => found,
        Err(error) => return vec![(path.to_owned(), error)],
    };
    let full: Vec<_> = found.into_iter().filter(|file| file.number != u64::MAX).collect();
    let (old, kept) = full.split_at(full.len().saturating_sub(keep));
    let mut failed = Vec::new();
    for file in old {
        failed.extend(fs::remove_file(&file.path).err().map(|error| (file.path.clone(), error)));
    }
    for file in kept {
        let packed = file.path.extension().is_some_and(|extension| extension == "gz" || extension == "zst");
        if !packed && compression != Compression::None {
            failed.extend(compress(&file.path, compression, sync).err().map(|error| (file.path.clone(), error)));
        }
    }
    failed
}

fn compress(path: &Path, compression: Compression, sync: bool) -> io::Result<()> {
    let packed = beside(path, if compression == Compression::Gzip { ".gz" } else { ".zst" });
    let new = beside(path, ".new");
    pack(path, &new, compression).and_then(|()| fs::rename(&new, &packed)).inspect_err(|_| {
        // What is left takes room that the log needs.
        let _ = fs::remove_file(&new);
    })?;
    if sync {
        // The disk has the one before the other is gone.
        open::sync_name(path)?;
    }
    fs::remove_file(path)?;
    if sync { open::sync_name(path) } else { Ok(()) }
}

fn pack(path: &Path, new: &Path, compression: Compression) -> io::Result<()> {
    let mut from = fs::File::open(path)?;
    let mut options = fs::OpenOptions::new();
    let to = options.create(true).truncate(true).write(true).mode(0o600).open(new)?;
    let to = if compression == Compression::Gzip {
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
