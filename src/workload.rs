//! The SPIFFE Workload API: a workload's X.509-SVIDs and the bundles of trust domains, from an agent on this machine.
//!
//! An agent says all that there is in each message, and sends another as soon as something has changed. One that can't be
//! read whole is told of and not taken: what was last good goes on. Knows of no door; who needs certificates follows
//! [`Source::follow`].

mod der;
mod message;
mod response;
mod source;

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use zeroize::Zeroizing;

pub use self::{
    response::{domain_of_workload, is_spiffe_id},
    source::{Figures, Late, Source},
};

/// Settings of the Workload API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the agent listens.
    pub endpoint: Option<Endpoint>,
    /// Which of several SVIDs is the server's, by the hint that the agent gives; without it, the first.
    pub hint: Option<String>,
    /// How long the start may wait for the first SVID.
    pub start_timeout: Duration,
}

/// The socket of an agent (SPIFFE Workload Endpoint §3, §4): `unix:///run/spire/agent.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(PathBuf);

/// Why a text names no agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It is another URI, or none.
    #[error("is no unix socket with an absolute path")]
    NoSocket,
    /// Keys would go over it in plain text.
    #[error("is TCP, over which keys would go in plain text")]
    Tcp,
}

/// All that an agent has said last.
#[derive(PartialEq, Eq)]
pub struct Material {
    /// The workload's own identities, at least one, in the agent's order.
    pub svids: Vec<Svid>,
    /// The authorities of each trust domain that is trusted, its own ones and those that are federated.
    pub bundles: BTreeMap<String, Vec<CertificateDer<'static>>>,
    /// What authorities have revoked.
    pub lists: Vec<CertificateRevocationListDer<'static>>,
}

/// An X.509-SVID and its key.
#[derive(PartialEq, Eq)]
pub struct Svid {
    /// Its SPIFFE ID.
    pub id: String,
    /// What the operator calls it.
    pub hint: String,
    /// Its certificate, and those that lead from it to an authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key (PKCS #8).
    pub key: Zeroizing<Vec<u8>>,
}

impl Default for Config {
    fn default() -> Self {
        Self { endpoint: None, hint: None, start_timeout: Duration::from_secs(30) }
    }
}

impl Material {
    /// The SVID with this hint, or the first.
    #[must_use]
    pub fn svid(&self, hint: Option<&str>) -> Option<&Svid> {
        self.svids.iter().find(|svid| hint.is_none_or(|hint| svid.hint == hint))
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.starts_with("tcp:") {
            return Err(InvalidEndpoint::Tcp);
        }
        let rest = text.strip_prefix("unix:").ok_or(InvalidEndpoint::NoSocket)?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let is_path = path.starts_with('/') && path.len() > 1 && !path.contains(['?', '#', '\0']);
        if is_path { Ok(Self(path.into())) } else { Err(InvalidEndpoint::NoSocket) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unix://{}", self.0.display())
    }
}

/// Without its key.
impl fmt::Debug for Svid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Svid").field("id", &self.id).field("hint", &self.hint).finish_non_exhaustive()
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { svids, bundles, lists } = self;
        let domains: Vec<_> = bundles.keys().collect();
        out.debug_struct("Material")
            .field("svids", svids)
            .field("bundles", &domains)
            .field("lists", &lists.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_at_a_unix_socket() {
        for text in ["unix:///run/spire/agent.sock", "unix:/run/spire/agent.sock"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), "unix:///run/spire/agent.sock");
        }
        for text in ["", "unix:", "unix:///", "unix://host/a", "unix:a", "/run/a.sock", "unix:///a?b", "http://a/b"] {
            assert_eq!(text.parse::<Endpoint>(), Err(InvalidEndpoint::NoSocket), "{text}");
        }
        assert_eq!("tcp://127.0.0.1:8081".parse::<Endpoint>(), Err(InvalidEndpoint::Tcp));
    }
}
