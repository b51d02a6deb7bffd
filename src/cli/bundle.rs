//! `verdict bundle`: bundles made, looked at, signed, compared and sent.

mod build;
mod diff;
mod files;
mod inspect;
mod keys;
mod progress;
mod push;
mod select;
mod sign;
mod verify;

use std::{path::Path, process::ExitCode, sync::Arc};

use clap::Subcommand;
use verdict::bundle::{Bundle, Package, assemble};

const EXAMPLES: &str = "\
Examples:
  verdict bundle build policies/ -o bundle.tar.gz --revision v1.2.0
  verdict bundle inspect bundle.tar.gz
  verdict bundle sign bundle.tar.gz --signing-key private.pem --signing-alg ES256
  verdict bundle verify bundle.tar.gz --verification-key public.pem --signing-alg ES256
  verdict bundle diff old.tar.gz bundle.tar.gz
  verdict bundle push bundle.tar.gz --to unix:/run/verdict/admin.sock

The format is OPA's. `docs/bundles.md` tells of it, and of what differs.";

/// Make, look at, sign, verify, compare and send bundles of policies and data
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Build(build::Args),
    Inspect(inspect::Args),
    Sign(sign::Args),
    Verify(verify::Args),
    Diff(diff::Args),
    Push(push::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::Build(args) => build::run(args),
        Verb::Inspect(args) => inspect::run(args),
        Verb::Sign(args) => sign::run(args),
        Verb::Verify(args) => verify::run(args),
        Verb::Diff(args) => diff::run(args),
        Verb::Push(args) => push::run(args),
    }
}

/// How a verb's findings are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    #[value(alias = "pretty")]
    Text,
    /// One object
    Json,
}

/// Reads a bundle: an archive, or a folder that is laid out like one.
pub(super) fn package(path: &Path) -> anyhow::Result<Package> {
    files::read_sources(path)
}

/// The policies of a bundle, which need not be one that can be loaded.
fn texts(package: &Package) -> anyhow::Result<Bundle> {
    let package = Arc::new(package.clone());
    if let Ok(bundle) = assemble(&[("bundle".to_owned(), Arc::clone(&package))]) {
        return Ok(bundle);
    }
    let files = package.files.iter().filter(|file| std::str::from_utf8(&file.bytes).is_ok());
    Ok(Bundle::from_files(files.map(|file| (file.path.clone(), file.bytes.clone())))?)
}

/// Bytes for people: `3.4 KiB`.
fn size(bytes: usize) -> String {
    indicatif::HumanBytes(u64::try_from(bytes).unwrap_or(u64::MAX)).to_string()
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
