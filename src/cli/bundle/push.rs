//! `verdict bundle push`: a bundle to a server that runs.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use verdict::bundle::{Limits, Package};

use super::files;

/// Send a bundle to a server, over its administration socket
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bundle
    #[arg(value_name = "FILE")]
    bundle: PathBuf,
    /// The server's administration socket
    #[arg(long, value_name = "ADDR", default_value = "unix:/run/verdict/admin.sock")]
    to: String,
    /// Which of the server's bundles it is [default: the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Show what it would do, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let archive = files::archive(&args.bundle)?;
    Package::read(&archive, &Limits::default())?;
    bail!("{} {:?} {}", args.to, args.name, args.dry_run)
}
