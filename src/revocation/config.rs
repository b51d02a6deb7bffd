//! Settings.

use std::path::PathBuf;

/// Settings of the registry: `revocation.*`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that revocations are kept in; without one, nothing can be revoked.
    pub store: Option<PathBuf>,
    /// The most revocations and the most subjects with signals that are held.
    pub max_entries: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { store: None, max_entries: 5_000_000 }
    }
}
