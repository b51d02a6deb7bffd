//! Rego text and data to an immutable snapshot, and its evaluation. The only user of regorus.

use std::time::Duration;

use crate::decision::EntryPoint;

/// Settings of evaluation.
#[derive(Clone, Debug)]
pub struct Config {
    /// The entry point of questions that name none.
    pub default_policy: EntryPoint,
    /// Whether files without `import rego.v1` are read as Rego v0.
    pub rego_v0: bool,
    /// The most wall-clock time that one evaluation may take.
    pub evaluation_budget: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_policy: EntryPoint::from_parts(["authz".to_owned()]),
            rego_v0: false,
            evaluation_budget: Duration::from_millis(50),
        }
    }
}
