//! The variable by which SPIFFE's workloads are told where their agent is (SPIFFE Workload Endpoint §4). `spiffe.endpoint` goes
//! before it, and where no door asks the agent, it is not looked at.

use std::ffi::OsString;

use super::{
    Config,
    fault::{Fault, excerpt},
};
use crate::workload::InvalidEndpoint;

/// Its name.
pub(super) const VARIABLE: &str = "SPIFFE_ENDPOINT_SOCKET";

/// Reads it, if it counts.
pub(super) fn apply(all: &[(OsString, OsString)], config: &mut Config, faults: &mut Vec<Fault>) {
    let is_wanted = config.spiffe.endpoint.is_none() && (config.grpc.tls.spiffe || config.http.tls.spiffe);
    let given = all.iter().find(|(name, value)| name == VARIABLE && !value.is_empty());
    let Some((_, value)) = given.filter(|_| is_wanted) else { return };
    let text = value.to_string_lossy();
    match text.parse() {
        Ok(endpoint) => config.spiffe.endpoint = Some(endpoint),
        Err(invalid) => {
            let invalid: InvalidEndpoint = invalid;
            let expected = "the socket of an agent such as `unix:///run/spire/agent.sock`";
            faults.push(Fault::new(VARIABLE, format!("`{}` {invalid}", excerpt(&text)), expected));
        }
    }
}
