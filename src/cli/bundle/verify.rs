//! `verdict bundle verify`: whether a bundle is what was signed.

use std::{path::PathBuf, process::ExitCode};

use verdict::bundle::signing;

use super::{count, files, keys};
use crate::cli::{complain, exit, say};

const EXAMPLES: &str = "\
Every file must be signed, every signed file be there, and the signature be made with this key and
this algorithm, for this scope, and be valid now.

Examples:
  verdict bundle verify bundle.tar.gz --verification-key public.pem --signing-alg ES256
  verdict bundle verify bundle.tar.gz --verification-key public.pem --signing-alg ES256 --scope read
  verdict bundle verify policies/ --verification-key secret.txt --alg HS256 --exclude-files-verify '*.md'

Exit: 0 it is what was signed, 1 it is not, 2 it can't be told, 64 wrong usage.";

/// Tell whether a bundle is exactly what the owner of a key signed
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A bundle, or a folder that is laid out like one
    #[arg(value_name = "FILE|FOLDER")]
    bundle: PathBuf,
    #[command(flatten)]
    verifying: keys::Verifying,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let verification = args.verifying.verification()?;
    let package = files::read(&args.bundle)?.package;
    if let Err(refused) = verification.verify(&package, keys::now()) {
        complain(&format!("`{}`: {refused}", args.bundle.display()));
        return Ok(ExitCode::from(exit::NO));
    }
    let files = signing::claimed(&package).ok().flatten().map_or(0, |claimed| claimed.files.len());
    say(&format!("{}: the signature holds for {}; {}", args.bundle.display(), count(files, "file"), package.digest()));
    Ok(ExitCode::SUCCESS)
}
