//! Fetch, compile, publish; keeps the last good.

/// Settings of reloading.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Whether policies that do not compile at start end the process instead of leaving it not ready.
    pub strict: bool,
}
