//! The policies that recorded questions are put to.

use std::{path::PathBuf, sync::Arc, thread, time::Duration};

use anyhow::Context as _;
use verdict::{
    bundle::{self, Bundle},
    policy::{Capabilities, Faults, Hosts, Options},
};

use crate::cli::{bundle as bundles, capabilities, eval, folder};

/// Policies nest, and evaluation recurses: the stacks of threads are deep.
pub(super) const STACK: usize = 256 << 20;

/// Which policies, and how they are evaluated.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Policies")]
pub(super) struct Policies {
    /// The folder of policies, or a single file [default: the embedded policies]
    #[arg(long = "policies", value_name = "DIR", conflicts_with = "bundle")]
    folder: Option<PathBuf>,
    /// A bundle: an archive, or a folder that is laid out like one; again for each bundle of a set. A name is what the
    /// server calls it [default: the file's name up to its first dot]. Signatures are not checked
    #[arg(long, value_name = "[NAME=]PATH")]
    bundle: Vec<String>,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    rego_v0: bool,
    /// The built-ins that policies may call, in OPA's format (`opa capabilities --current`) [default: all]
    #[arg(long, value_name = "FILE", value_parser = capabilities)]
    capabilities: Option<Capabilities>,
    /// The hosts that policies may ask, as in `network.allow`, joined by commas [default: none]
    #[arg(long, value_name = "HOSTS", env = "VERDICT_NETWORK_ALLOW")]
    network_allow: Option<Hosts>,
    /// The most milliseconds that one evaluation may take
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    timeout_ms: u64,
}

impl Policies {
    /// Whether any are named.
    pub(super) fn are_named(&self) -> bool {
        self.folder.is_some() || !self.bundle.is_empty()
    }

    /// Reads them.
    pub(super) fn read(&self) -> anyhow::Result<Result<Bundle, Faults>> {
        if self.bundle.is_empty() {
            return Ok(self.folder.as_deref().map_or_else(folder::embedded, folder::read_one)?.whole());
        }
        let mut packages = Vec::new();
        for named in &self.bundle {
            let (name, path) = match named.split_once('=') {
                Some((name, path)) if !name.is_empty() && !name.contains('/') => (name.to_owned(), PathBuf::from(path)),
                _ => {
                    let path = PathBuf::from(named);
                    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                    (name.split('.').next().unwrap_or_default().to_owned(), path)
                }
            };
            packages.push((name, Arc::new(bundles::package(&path)?)));
        }
        bundle::assemble(&packages).map(Ok).context("the bundles are no policy set")
    }

    /// How they are compiled, for that many threads.
    pub(super) fn options(&self, evaluators: usize) -> Options {
        let capabilities = self.capabilities.unwrap_or_default();
        let network = eval::network(self.network_allow.as_ref(), capabilities);
        Options { rego_v0: self.rego_v0, capabilities, network, evaluators, ..Options::default() }
    }

    /// The most that one evaluation may take.
    pub(super) fn budget(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// Does something on a thread with a deep stack.
pub(super) fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let spawned = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match spawned.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
        }
    })
}
