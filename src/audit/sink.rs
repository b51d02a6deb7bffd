//! Where records end: each sink takes lines in order, and says whether it has them.

mod file;
mod files;
mod http;
mod otlp;
mod stdout;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

pub(super) use self::{
    file::head_name,
    files::{Found, find, is_there, unpack},
};
use super::{
    config::{Place, SinkConfig},
    figures::Counts,
    lines::Lines,
    traces::Traces,
};

/// Where records end.
pub(super) trait Sink: Send {
    /// Delivers records, the first first, and takes each out that it has, or that it will never take. What is left has
    /// to be tried again.
    fn deliver(&mut self, records: &mut Lines, context: &Context<'_>) -> Result<(), Failure>;

    /// There is nothing to deliver just now, or there will be nothing more.
    fn idle(&mut self, last: bool) {
        let _ = last;
    }

    /// Whether it makes chunks of its own of all records there are; else they come in pieces of some 256 KiB.
    fn makes_chunks(&self) -> bool {
        false
    }

    /// How long records may gather: each delivery takes a processor from who decides.
    fn linger(&self) -> Duration {
        Duration::from_millis(20)
    }
}

/// What a sink needs to know of who calls it.
pub(super) struct Context<'a> {
    pub(super) counts: &'a Counts,
    pub(super) sink: &'a str,
    /// By which a spool is known; `None` where records come from memory.
    pub(super) spool: Option<u64>,
}

/// Why records have to be tried again.
#[derive(Debug)]
pub(super) struct Failure {
    /// In words, and without anything of a record or a secret.
    pub(super) cause: String,
    /// When it makes sense to try again, if the sink says so.
    pub(super) after: Option<Duration>,
}

impl Failure {
    fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), after: None }
    }
}

/// Opens a sink.
pub(super) fn open(
    config: &SinkConfig,
    durable: bool,
    time: fn() -> SystemTime,
    traces: &Arc<dyn Traces>,
) -> Result<Box<dyn Sink>, String> {
    Ok(match &config.place {
        Place::Stdout => Box::new(stdout::Stdout),
        Place::File { path, rotation, chain } => {
            Box::new(file::File::open(path, *rotation, chain.clone(), durable, time)?)
        }
        Place::Http { url, token_file, ca_file, chunk_bytes, delay, timeout } => {
            let settings = http::Settings {
                url: url.clone(),
                token_file: token_file.clone(),
                ca_file: ca_file.clone(),
                chunk_bytes: *chunk_bytes,
                delay: *delay,
                timeout: *timeout,
            };
            Box::new(http::Http::open(settings, Arc::clone(traces))?)
        }
        Place::Otlp { destination, resource, token_file, request_bytes, delay } => {
            let settings = otlp::Settings {
                destination: destination.clone().ok_or("url: no collector is configured")?,
                resource: resource.clone(),
                token_file: token_file.clone(),
                request_bytes: *request_bytes,
                delay: *delay,
            };
            Box::new(otlp::Otlp::open(settings, Arc::clone(traces))?)
        }
    })
}

/// How many of the first records have at most so many bytes; at least one.
fn fitting(records: &Lines, bytes: usize) -> usize {
    let mut left = bytes;
    let fit = records.iter().take_while(|record| {
        let fits = record.line.len() < left;
        left = left.saturating_sub(record.line.len() + 1);
        fits
    });
    fit.count().max(1)
}
