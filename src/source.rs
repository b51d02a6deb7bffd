//! Where policies come from: files, as bytes.

use std::{path::PathBuf, time::Duration};

/// Settings of the policy folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder; `None` for the policies embedded in the binary.
    pub path: Option<PathBuf>,
    /// How long the folder must be quiet before it is read, so that a save of several files is read whole.
    pub settle: Duration,
    /// How often it is looked at even if the system reports no change.
    pub poll_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { path: None, settle: Duration::from_millis(50), poll_interval: Duration::from_secs(5) }
    }
}
