//! `verdict bundle push`: a bundle to a server that runs.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use verdict::{
    bundle::{Limits, Package},
    policy::printable,
};

use super::{files, progress};
use crate::cli::{
    duration,
    policy::{self, Expect, expect},
};

const EXAMPLES: &str = "\
The server verifies, checks and tests it as it does what its own sources give, and only then is it
served. It stays until the bundle's source has something newer. The name is that of one of the
server's bundles (`verdict policy status`).

Examples:
  verdict bundle push bundle.tar.gz --name main --to unix:/run/verdict/admin.sock --dry-run
  verdict bundle push bundle.tar.gz --name main
  verdict bundle push bundle.tar.gz --name main --expect 17

Exit: 0 taken (of a dry run: would be), 1 refused, 2 could not be done, 64 wrong usage.";

/// Send a bundle to a server, over its administration socket
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The bundle
    #[arg(value_name = "FILE")]
    bundle: PathBuf,
    /// The server's administration socket [default: where servers make it]
    #[arg(long, value_name = "SOCKET", env = "VERDICT_ADMIN_ADDRESS")]
    to: Option<String>,
    /// Which of the server's bundles it is [default: the file's name, to its first dot]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Show what it would do, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Let it be a lower revision than the one that is active
    #[arg(long)]
    allow_downgrade: bool,
    /// Do it only if this revision is active: its number, or its digest
    #[arg(long, value_name = "REVISION", value_parser = expect)]
    expect: Option<Expect>,
    /// The longest to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration::parse)]
    timeout: Duration,
    /// How the answer is shown
    #[arg(short, long, value_enum, default_value_t)]
    format: policy::Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let path = &args.bundle;
    {
        // What is no bundle need not be sent to be told so.
        let archive = files::archive(path)?;
        let _step = progress::step("unpacking");
        Package::read(&archive, &Limits::default()).with_context(|| format!("`{}` is no bundle", path.display()))?;
    }
    let named = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let named = named.split('.').find(|part| !part.is_empty()).unwrap_or("bundle");
    let name = args.name.clone().unwrap_or_else(|| printable(named).into_owned());
    policy::push(&policy::Push {
        server: args.to.clone(),
        name,
        archive: path.clone(),
        dry_run: args.dry_run,
        allow_downgrade: args.allow_downgrade,
        expect: args.expect.clone(),
        timeout: args.timeout,
        format: args.format,
    })
}
