//! The content of a folder, as it was at one moment.

use std::{fs, io::Read as _, path::Path, thread, time::Duration};

use sha2::{Digest as _, Sha256};

use super::scan::{Entry, Limits, Scan, Stamp, Watches};
use crate::source::{Error, File};

/// How often to begin again when the folder changes while it is read. With the pauses, at most about 80 ms.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// SHA-256 over names and contents.
pub(super) type Digest = [u8; 32];

pub(super) struct Content {
    pub(super) files: Vec<File>,
    pub(super) digest: Digest,
}

/// Reads a folder such that the list before and the list after agree; `arm` is called in between, so that whatever
/// changes after the second list is reported to whom it arms.
pub(super) fn whole(root: &Path, limits: &Limits, mut arm: impl FnMut(&Watches)) -> (Scan, Result<Content, Error>) {
    let mut pause = FIRST_PAUSE;
    let mut attempts = ATTEMPTS;
    loop {
        let (before, listed) = Scan::of(root, limits);
        arm(&before.watches);
        let found = listed.and_then(|()| content(root, &before.files));
        let (after, relisted) = Scan::of(root, limits);
        let agree = before == after
            && match (&found, &relisted) {
                // The failure: the list is good and stays good, but a file in it cannot be read.
                (Ok(_) | Err(Error::Read { .. }), Ok(())) => true,
                (Err(a), Err(b)) => format!("{a:?}") == format!("{b:?}"),
                _ => false,
            };
        if agree {
            return (after, found);
        }
        attempts -= 1;
        if attempts == 0 {
            return (after, Err(Error::Restless { path: root.to_owned() }));
        }
        thread::sleep(pause);
        pause *= 2;
    }
}

fn content(root: &Path, entries: &[Entry]) -> Result<Content, Error> {
    let mut hash = Sha256::new();
    let mut files = Vec::with_capacity(entries.len());
    for entry in entries {
        let bytes = bytes(root, entry)?;
        for part in [entry.path.as_bytes(), &bytes] {
            // The length goes first, so that moving a byte from one part to the next is another digest.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        files.push(File { path: entry.path.clone(), bytes });
    }
    Ok(Content { files, digest: hash.finalize().into() })
}

/// Reads the very file that was listed, or fails.
fn bytes(root: &Path, entry: &Entry) -> Result<Vec<u8>, Error> {
    let path = root.join(&entry.path);
    let read = || {
        let mut file = fs::File::open(&path)?;
        let mut bytes = Vec::new();
        if Stamp::of(&file.metadata()?) != entry.stamp {
            return Ok(None);
        }
        file.by_ref().take(entry.stamp.size.saturating_add(1)).read_to_end(&mut bytes)?;
        let same = bytes.len() as u64 == entry.stamp.size && Stamp::of(&file.metadata()?) == entry.stamp;
        Ok(same.then_some(bytes))
    };
    read().map_err(|cause| Error::Read { path: path.clone(), cause })?.ok_or_else(|| Error::Restless { path })
}
