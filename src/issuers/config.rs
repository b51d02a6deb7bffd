//! What is configured of issuers.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use url::Url;

pub use super::http::Transport;
use crate::identity::{Issuer, Keep};

/// All issuers.
#[derive(Clone, Debug)]
pub struct Config {
    /// By their names.
    pub issuers: BTreeMap<String, Settings>,
    /// How much may be remembered of tokens that were verified, in bytes.
    pub cache_bytes: usize,
}

/// One issuer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What its tokens must be like.
    pub issuer: Issuer,
    /// By what they are verified.
    pub means: Means,
    /// How it is asked.
    pub transport: Transport,
}

/// By what an issuer's tokens are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// By its keys.
    Keys {
        /// Where they are.
        from: KeysFrom,
        /// How often they are fetched.
        times: Times,
    },
    /// By asking it about each token.
    Introspection(Introspection),
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysFrom {
    /// In this file.
    File(PathBuf),
    /// At this URL.
    Url(Url),
    /// Where the metadata of this issuer say (`OpenID` Connect Discovery §4, RFC 8414 §3).
    Discovery(Url),
}

/// How often an issuer's keys are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long keys are taken for good; less, where the issuer says so.
    pub refresh: Duration,
    /// How long beyond that keys are used that can't be fetched again.
    pub stale: Duration,
    /// The least time between two fetches.
    pub apart: Duration,
}

/// Where an issuer is asked about tokens (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    /// The endpoint.
    pub url: Url,
    /// Who asks.
    pub client_id: String,
    /// Where the client's secret is.
    pub secret: SecretFrom,
    /// How the client shows it.
    pub auth: ClientAuth,
    /// How long an answer is taken for true.
    pub keep: Keep,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    /// In this file, which is read again each time.
    File(PathBuf),
    /// In this variable of the environment.
    Variable(String),
}

/// How a client shows who it is (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`.
    #[default]
    Basic,
    /// `client_secret_post`.
    Post,
}

impl Default for Config {
    fn default() -> Self {
        Self { issuers: BTreeMap::new(), cache_bytes: 32 << 20 }
    }
}

impl fmt::Display for ClientAuth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        })
    }
}
