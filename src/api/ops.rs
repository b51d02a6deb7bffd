//! The operators' HTTP door: health and metrics.

use super::Address;

/// Settings of the HTTP door.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub address: Address,
}

impl Default for Config {
    fn default() -> Self {
        Self { address: Address::Tcp(([127, 0, 0, 1], 8181).into()) }
    }
}
