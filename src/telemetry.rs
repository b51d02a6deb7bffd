//! The log, metrics and traces: set up here, given to who needs them.

pub mod doors;
pub mod export;
pub mod logs;
pub mod metrics;
pub mod spans;

/// Settings of the log.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is logged, as a `tracing` filter: `info`, or `warn,verdict::reload=debug`.
    pub level: String,
    /// How a line looks.
    pub format: Format,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::default() }
    }
}
