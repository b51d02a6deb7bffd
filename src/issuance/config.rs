//! Settings: who decides, and what no policy can exceed.

use std::time::Duration;

use crate::decision::EntryPoint;

/// Settings of issuance.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whom to ask.
    pub policy: EntryPoint,
    /// The longest life of any token but a refresh token.
    pub max_lifetime: Duration,
    /// The longest life of a refresh token.
    pub max_refresh_lifetime: Duration,
    /// The most actors in a chain of delegation.
    pub max_actor_depth: usize,
    /// What holds of tokens by which one party acts for another, or of an agent.
    pub agent: Ceiling,
    /// What holds of tokens of clients and workloads themselves.
    pub workload: Ceiling,
}

/// What a token may have at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// Its life.
    pub lifetime: Duration,
    /// Its scopes; `None` for any.
    pub scopes: Option<Vec<String>>,
    /// Its targets; `None` for any.
    pub audience: Option<Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        let ceiling = |lifetime| Ceiling { lifetime, scopes: None, audience: None };
        Self {
            policy: EntryPoint::from_parts(["issuance".to_owned()]),
            max_lifetime: Duration::from_secs(24 * 3_600),
            max_refresh_lifetime: Duration::from_secs(720 * 3_600),
            max_actor_depth: 3,
            agent: ceiling(Duration::from_secs(15 * 60)),
            workload: ceiling(Duration::from_secs(3_600)),
        }
    }
}
