//! Fetch, compile, publish; keeps the last good.
//!
//! New policies are compiled beside the running ones, off the query path. If any step fails, nothing changes but what
//! [`Sink`] is told.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    bundle::Bundle,
    policy::{Faults, Options, Snapshot},
    source::{self, Content, Source},
};

/// Settings of reloading.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Whether policies that do not compile at start end the process instead of leaving it not ready.
    pub strict: bool,
}

/// Who is told how reloads went.
pub trait Sink: Send + Sync {
    /// A new snapshot is compiled; from the return of this call on, questions are decided on it.
    fn publish(&self, snapshot: Arc<Snapshot>);

    /// The source's content is again what is already published.
    fn unchanged(&self);

    /// A reload failed; the last good snapshot, if there is one, goes on.
    fn failed(&self, failure: &Failure);
}

/// Why a reload failed.
#[derive(Debug)]
pub enum Failure {
    /// The source could not be read.
    Source(source::Error),
    /// The files are no bundle.
    Bundle(crate::bundle::InvalidBundle),
    /// There is no policy in it.
    Empty(String),
    /// The policies have faults.
    Policies(Faults),
    /// The compiler's thread ended without a result.
    Internal(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => match std::error::Error::source(error) {
                Some(cause) => write!(out, "{error}: {cause}"),
                None => error.fmt(out),
            },
            Self::Bundle(error) => error.fmt(out),
            Self::Empty(source) => write!(out, "no policies in the {source}; put at least one `.rego` file there"),
            Self::Policies(faults) => faults.fmt(out),
            Self::Internal(cause) => out.write_str(cause),
        }
    }
}

/// Takes policies from a source to a sink, for as long as it is polled.
pub struct Reloader {
    source: Box<dyn Source>,
    sink: Arc<dyn Sink>,
    options: Options,
    published: Option<Arc<Snapshot>>,
    sequence: u64,
}

impl Reloader {
    /// A reloader that has read nothing yet.
    pub fn new(source: Box<dyn Source>, sink: Arc<dyn Sink>, options: Options) -> Self {
        Self { source, sink, options, published: None, sequence: 0 }
    }

    /// Waits for the next change and takes it in. Whether it went well is for the sink; the failure is also given back.
    pub async fn step(&mut self) -> Result<(), Failure> {
        let result = match self.source.next().await {
            Ok(Content::Files(files)) => self.take(files).await,
            Ok(Content::Archive(_)) => Err(Failure::Internal("archives are not read yet".to_owned())),
            Err(error) => Err(Failure::Source(error)),
        };
        if let Err(failure) = &result {
            self.sink.failed(failure);
        }
        result
    }

    /// Takes in every change, forever.
    pub async fn run(mut self) {
        loop {
            if self.step().await.is_err() {
                // A source gives a failure once; this guards against one that does not.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn take(&mut self, files: Vec<source::File>) -> Result<(), Failure> {
        let bundle =
            Bundle::from_files(files.into_iter().map(|file| (file.path, file.bytes))).map_err(Failure::Bundle)?;
        if bundle.modules.is_empty() {
            return Err(Failure::Empty(self.source.name()));
        }
        if self.published.as_ref().is_some_and(|published| published.digest() == bundle.digest) {
            self.sink.unchanged();
            return Ok(());
        }
        let (options, sequence) = (self.options, self.sequence + 1);
        let sink = Arc::clone(&self.sink);
        let last = self.published.take();
        // Compiling takes long, and so may the end of a large old snapshot: neither on a thread that serves.
        let task = tokio::task::spawn_blocking(move || match Snapshot::compile(&bundle, sequence, options) {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                sink.publish(Arc::clone(&snapshot));
                drop(last);
                (Some(snapshot), Ok(()))
            }
            Err(faults) => (last, Err(Failure::Policies(faults))),
        });
        let (published, result) = task.await.unwrap_or_else(|error| (None, Err(Failure::Internal(error.to_string()))));
        self.published = published;
        if result.is_ok() {
            self.sequence = sequence;
        }
        result
    }
}
