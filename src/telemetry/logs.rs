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

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{ParseError, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

use super::{Config, Format, export::Exports};

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

/// What sends the log to a collector: what it says of that would make the next of it.
const SENDERS: [&str; 7] = ["verdict::telemetry", "tonic", "h2", "hyper", "hyper_util", "tower", "rustls"];

/// Sends events to standard error from here on, and panics with them; and to the collector, where the log is pushed.
///
/// A panic is logged with its place and thread only: its message may hold what a user sent.
pub fn init(config: &Config, exports: &Exports) -> Result<(), InitError> {
    let filter = filter(&config.level).map_err(|source| InitError::Level { level: config.level.clone(), source })?;
    // Told to report its own write errors, the subscriber prints them to the same standard error, and that panics.
    let lines = fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    let lines = match config.format {
        Format::Human => lines.with_ansi(has_colour(io::stderr().is_terminal(), env::var_os("NO_COLOR"))).boxed(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let pushed = exports.logger().map(|logger| {
        let sender = |target: &str| {
            SENDERS
                .iter()
                .any(|name| target.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
        };
        let own = filter_fn(move |event| !sender(event.target()) && !event.target().starts_with("opentelemetry"));
        OpenTelemetryTracingBridge::new(logger).with_filter(own)
    });
    let log = tracing_subscriber::registry().with(filter).with(lines).with(pushed);
    log.try_init().map_err(|error: TryInitError| InitError::AlreadySet(Box::new(error)))?;
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
