//! Settings of the decision log, validated by who reads them.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use aws_lc_rs::hmac;

use super::chain::Signer;
pub use super::pointer::InvalidPointer;
use super::pointer::Pointer;
use crate::{decision::Effect, otlp::Destination};

/// Settings of the decision log.
#[derive(Clone, Debug)]
pub struct Config {
    /// The most that a record keeps of a question, and of its answer, in bytes.
    pub max_record_bytes: usize,
    /// The longest that a decision waits until a durable sink has its record.
    pub commit_timeout: Duration,
    /// The sinks by their names.
    pub sinks: BTreeMap<String, SinkConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_record_bytes: 256 << 10, commit_timeout: Duration::from_secs(1), sinks: BTreeMap::new() }
    }
}

/// One sink.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Where records go.
    pub place: Place,
    /// How they look.
    pub format: Format,
    /// What may become of them on the way.
    pub mode: Mode,
    /// How many may wait in memory.
    pub queue: QueueLimits,
    /// Which of them are wanted.
    pub filter: Filter,
    /// What is hidden in them.
    pub mask: Mask,
}

/// Where records go.
#[derive(Clone, Debug)]
pub enum Place {
    /// Standard output, a line each.
    Stdout,
    /// A file, a line each.
    File {
        /// The file that is written to.
        path: PathBuf,
        /// When another one is begun.
        rotation: Rotation,
        /// Whether its records are chained, and signed.
        chain: Option<Chain>,
    },
    /// A server that speaks OPA's decision-log protocol.
    Http {
        /// Where chunks are sent.
        url: String,
        /// The file of the bearer token; read again for each chunk.
        token_file: Option<PathBuf>,
        /// The authorities to trust instead of the system's, in PEM.
        ca_file: Option<PathBuf>,
        /// The most bytes of a chunk, compressed.
        chunk_bytes: usize,
        /// How long records may gather before they are sent.
        delay: Duration,
        /// How long an answer may take.
        timeout: Duration,
    },
    /// A collector of OpenTelemetry.
    Otlp {
        /// Where it is; `None` until it is known where the log goes.
        destination: Option<Destination>,
        /// What is said of the process.
        resource: Vec<(String, String)>,
        /// The file of the bearer token; read again for each request.
        token_file: Option<PathBuf>,
        /// The most bytes of a request's records.
        request_bytes: usize,
        /// How long records may gather before they are sent.
        delay: Duration,
    },
}

/// How a record looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `docs/decision-record.schema.json`.
    Verdict,
    /// OPA's decision log.
    Opa,
}

/// What may become of a record on its way.
#[derive(Clone, Debug)]
pub enum Mode {
    /// It may be lost, and is counted then. No decision waits for it.
    BestEffort,
    /// It is on disk before the decision is answered, in a spool until it is delivered.
    Durable(SpoolConfig),
    /// It is on disk before the decision is answered, in the file where it belongs; a decision whose record can't be
    /// written there becomes a deny.
    DurableFile,
}

/// Where records wait until they are delivered.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// The spool's file.
    pub path: PathBuf,
    /// The most bytes that wait.
    pub max_bytes: u64,
    /// How long a record may wait.
    pub max_age: Duration,
    /// What happens when no more may wait.
    pub when_full: WhenFull,
}

/// What happens when no more records can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest go, and are counted.
    DropOldest,
    /// Decisions become denies.
    FailClosed,
}

/// How much may wait in memory.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// The most records.
    pub records: usize,
    /// The most bytes.
    pub bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { records: 65_536, bytes: 64 << 20 }
    }
}

/// When a file is full.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Its most bytes.
    pub max_bytes: u64,
    /// How long it is written to.
    pub max_age: Duration,
    /// How many full ones are kept; the oldest go.
    pub keep: usize,
    /// What full ones become.
    pub compression: Compression,
}

/// What a full file becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// It stays as it is.
    None,
    /// `.gz`.
    Gzip,
    /// `.zst`.
    Zstd,
}

/// How a file is made evident to tampering.
#[derive(Clone, Debug)]
pub struct Chain {
    /// What signs checkpoints.
    pub signer: Arc<Signer>,
    /// After how many records, at most.
    pub every: u64,
    /// After how long, at most.
    pub interval: Duration,
}

/// Which records a sink wants.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of these effects; of all if empty.
    pub effects: Vec<Effect>,
    /// Of these doors; of all if empty.
    pub doors: Vec<String>,
    /// Of these entry points and those below; of all if empty.
    pub entry_points: Vec<String>,
    /// Of so many allows out of 10,000; `None` for all.
    pub sample_allows: Option<u32>,
    /// Of so many denies out of 10,000; `None` for all.
    pub sample_denies: Option<u32>,
}

/// What is hidden in a sink's records, beyond secrets.
#[derive(Clone, Debug)]
pub struct Mask {
    /// What is done to which places, in this order.
    pub fields: Vec<FieldMask>,
    /// What hashes are keyed by.
    pub key: Option<hmac::Key>,
    /// Whether `data.system.log.mask` and `data.system.log.drop` are asked.
    pub policies: bool,
    /// Further names whose values are secret.
    pub names: Vec<String>,
}

impl Default for Mask {
    fn default() -> Self {
        Self { fields: Vec::new(), key: None, policies: true, names: Vec::new() }
    }
}

/// What is done to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldMask {
    /// It goes.
    Remove(Pointer),
    /// It becomes this text.
    Replace(Pointer, String),
    /// It becomes its keyed hash.
    Hash(Pointer),
}

impl SinkConfig {
    /// Whether a decision that it can't keep becomes a deny.
    #[must_use]
    pub fn fails_closed(&self) -> bool {
        match &self.mode {
            Mode::BestEffort => false,
            Mode::Durable(spool) => spool.when_full == WhenFull::FailClosed,
            Mode::DurableFile => true,
        }
    }
}
