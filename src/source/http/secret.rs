//! Files that hold secrets and certificates: read again each time, bounded, never shown.

use std::path::{Path, PathBuf};

use tokio::{fs::File, io::AsyncReadExt as _};

use crate::source::Fault;

/// No token, password, key or set of certificates is larger.
const LARGEST: u64 = 1 << 20;

/// What was in a file; has no `Debug`, so that it cannot end up in a text.
pub(in crate::source) struct Secret(String);

impl Secret {
    /// Reads a secret of one line; blanks around it are none of it.
    pub(in crate::source) async fn read(path: &Path) -> Result<Self, Fault> {
        let bytes = bytes(path).await?;
        let text = String::from_utf8(bytes).map_err(|_| fault(path, "is not text"))?;
        let text = text.trim();
        if text.is_empty() {
            return Err(fault(path, "is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(fault(path, "has more than one line"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself.
    pub(in crate::source) fn expose(&self) -> &str {
        &self.0
    }
}

/// Reads a file of at most a mebibyte.
pub(in crate::source) async fn bytes(path: &Path) -> Result<Vec<u8>, Fault> {
    let failed = |error: std::io::Error| fault(path, &format!("cannot be read: {error}"));
    let metadata = tokio::fs::metadata(path).await.map_err(failed)?;
    if !metadata.is_file() {
        return Err(fault(path, "is not a regular file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).await.map_err(failed)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(fault(path, "is too large"));
    }
    Ok(bytes)
}

fn fault(path: &Path, problem: &str) -> Fault {
    Fault::File { path: PathBuf::from(path), problem: problem.to_owned() }
}
