//! Rego text and data to an immutable [`Snapshot`], and its evaluation. The only user of regorus.

pub mod adhoc;
mod brackets;
mod budget;
mod builtins;
mod compile;
mod contract;
mod documents;
mod engine;
mod explain;
mod fault;
mod gate;
mod index;
mod isolation;
mod lint;
mod lowering;
mod meter;
mod order;
pub mod outline;
mod paths;
mod pool;
mod reasons;
mod rego;
mod rejection;
mod snapshot;
mod statements;
mod syntax;
pub mod testing;
mod text;
mod value;

use std::time::Duration;

pub use builtins::{Hosts, InvalidHost, Network, NetworkSettings, network_cache_figures};
pub use compile::Options;
pub use documents::Documents;
pub use explain::{InvalidRedaction, Redaction};
pub use fault::{Fault, Faults, Severity, printable};
pub use isolation::{Figures as IsolationFigures, figures as isolation_figures};
pub use lint::capabilities::{Capabilities, InvalidCapabilities};
pub use snapshot::{Size, Snapshot};

use crate::decision::EntryPoint;

/// Every warning of a policy set with its tests. `entries` are what will be asked; without any, what packages offer by
/// their rules' names is. Policies with faults of their syntax have warnings, too, for what can be read.
#[must_use]
pub fn warnings(bundle: &crate::bundle::Bundle, options: Options, entries: &[EntryPoint]) -> Vec<Fault> {
    let entries: Vec<Vec<String>> = entries.iter().map(|entry| entry.parts().to_vec()).collect();
    compile::review(bundle, options, &entries)
}

/// Settings of evaluation.
#[derive(Clone, Debug)]
pub struct Config {
    /// The entry point of questions that name none.
    pub default_policy: EntryPoint,
    /// Whether files without `import rego.v1` are read as Rego v0.
    pub rego_v0: bool,
    /// The most of the processor's time that one evaluation may take.
    pub evaluation_budget: Duration,
    /// A file with the built-ins that policies may call, in OPA's format; without it, they may call all.
    pub capabilities: Option<std::path::PathBuf>,
    /// What policies may ask of the network.
    pub network: NetworkSettings,
    /// The values that explanations hide.
    pub redact: Redaction,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_policy: EntryPoint::from_parts(["authz".to_owned()]),
            rego_v0: false,
            evaluation_budget: Duration::from_millis(50),
            capabilities: None,
            network: NetworkSettings::default(),
            redact: Redaction::default(),
        }
    }
}

#[cfg(test)]
mod tests;
