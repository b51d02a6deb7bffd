//! The log: lines on standard error, for people or for machines.
//!
//! Owns the process's `tracing` subscriber and its panic hook. A line is one write. A log that nobody reads any more
//! (a closed pipe) loses its lines; it never ends the process.

use std::{
    env,
    error::Error,
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
    thread,
};

use tracing_subscriber::{EnvFilter, filter::ParseError, fmt};

use super::{Config, Format};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The configured level is no filter.
    #[error("`{level}` is no log filter")]
    Level {
        /// What was configured.
        level: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The process has a log already.
    #[error("the log is set up already")]
    AlreadySet(#[source] Box<dyn Error + Send + Sync>),
}

/// Sends events to standard error from here on, and panics with them.
///
/// A panic is logged with its place and thread only: its message may hold what a user sent.
pub fn init(config: &Config) -> Result<(), InitError> {
    let filter = filter(&config.level).map_err(|source| InitError::Level { level: config.level.clone(), source })?;
    // Told to report its own write errors, the subscriber prints them to the same standard error, and that panics.
    let log = fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    match config.format {
        Format::Human => log.with_ansi(has_colour(io::stderr().is_terminal(), env::var_os("NO_COLOR"))).try_init(),
        Format::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
    }
    .map_err(InitError::AlreadySet)?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What watches folders traces each event of the system's: in a log that is written to a folder that is watched, each
/// line would make the next. Traces of it must be asked for by name.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    let filter = EnvFilter::builder().parse(level)?;
    if level.contains("notify") { Ok(filter) } else { Ok(filter.add_directive("notify=info".parse()?)) }
}

/// Colour is for terminals, unless `NO_COLOR` says anything (<https://no-color.org>).
fn has_colour(terminal: bool, no_color: Option<std::ffi::OsString>) -> bool {
    terminal && no_color.is_none_or(|said| said.is_empty())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(tracing::field::display);
    let thread = thread::current();
    tracing::error!(target: "verdict::panic", place, thread = thread.name().unwrap_or("unnamed"), "a thread panicked");
}

#[cfg(test)]
mod tests;
