//! Where an issuer's keys are, and fetching them: bounded in size and time.

use std::path::{Path, PathBuf};

use tokio::{fs::File, io::AsyncReadExt as _};

use super::{KeysFrom, fault::Fault};

/// The largest set of keys that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// Fetches from one place.
#[derive(Debug)]
pub(super) enum Origin {
    /// A file.
    File(PathBuf),
}

impl Origin {
    pub(super) fn new(keys: KeysFrom) -> Self {
        match keys {
            KeysFrom::File(path) => Self::File(path),
        }
    }

    /// The text of the set.
    pub(super) async fn fetch(&self) -> Result<Vec<u8>, Fault> {
        match self {
            Self::File(path) => read(path).await,
        }
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let fault = |problem: String| Fault::File { path: path.display().to_string(), problem };
    let failed = |error: std::io::Error| fault(format!("cannot be read: {error}"));
    let metadata = tokio::fs::metadata(path).await.map_err(failed)?;
    if !metadata.is_file() {
        // A pipe would be waited for without end.
        return Err(fault("is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).await.map_err(failed)?;
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() > LARGEST { Err(Fault::TooLarge(LARGEST)) } else { Ok(bytes) }
}
