//! Settings.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use url::Url;

use crate::identity::Algorithm;

/// Settings of the receiver: `ssf.*`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether `POST /ssf/events` is there.
    pub push: bool,
    /// For how long the ids of tokens are remembered. Older tokens are refused, so that none counts twice.
    pub replay_window: Duration,
    /// How often what was signalled is published as `data.signals`; zero for never.
    pub publish_interval: Duration,
    /// The transmitters by their names: `[ssf.transmitters.NAME]` of the file.
    pub transmitters: BTreeMap<String, Transmitter>,
}

/// A transmitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmitter {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The audiences of which a token must have one.
    pub audience: Vec<String>,
    /// The algorithms that it may sign with.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are (RFC 7517 §5).
    pub keys: KeysAt,
    /// The issuers about whose subjects, sessions and tokens it may speak.
    pub issuers: Vec<String>,
    /// How long what it revokes by time stays revoked: no token that is older is still good then.
    pub keep: Duration,
    /// The file of the bearer token that it pushes with.
    pub push_token_file: Option<PathBuf>,
    /// Where its tokens are fetched; without it, it pushes.
    pub poll: Option<Poll>,
}

/// Where a transmitter's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysAt {
    /// In this file.
    File(PathBuf),
    /// At this URL.
    Url {
        /// The set.
        url: Url,
        /// The certificates of authorities that vouch for the server, in place of the system's.
        ca_file: Option<PathBuf>,
    },
}

/// Where tokens are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The transmitter's endpoint (RFC 8936 §2.4).
    pub url: String,
    /// The file of our bearer token there; read again for each request.
    pub token_file: Option<PathBuf>,
    /// The certificates of authorities that vouch for it, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long to wait where nothing new is said.
    pub interval: Duration,
    /// The most tokens of one answer.
    pub max_events: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            push: false,
            replay_window: Duration::from_hours(14 * 24),
            publish_interval: Duration::ZERO,
            transmitters: BTreeMap::new(),
        }
    }
}
