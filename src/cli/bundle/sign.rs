//! `verdict bundle sign`: a signature for what is there already.

use std::{path::PathBuf, process::ExitCode};

use verdict::bundle::Package;

use super::{
    count,
    files::{self, Read},
    keys,
};
use crate::cli::say_aside;

const EXAMPLES: &str = "\
Of an archive the signed one is written, over it or to --output; of a folder `.signatures.json`,
into it or to --output.

Examples:
  openssl ecparam -genkey -name prime256v1 -noout -out private.pem
  openssl ec -in private.pem -pubout -out public.pem
  verdict bundle sign bundle.tar.gz --signing-key private.pem --signing-alg ES256
  verdict bundle sign bundle.tar.gz --signing-key private.pem --signing-alg ES256 -o s.tar.gz --scope read
  verdict bundle sign policies/ --signing-key secret.txt --signing-alg HS256

Exit: 0 signed, 2 it could not be, 64 wrong usage.";

/// Sign a bundle, so that whoever has the public key can tell who made it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A bundle, or a folder that is laid out like one
    #[arg(value_name = "FILE|FOLDER")]
    bundle: PathBuf,
    #[command(flatten)]
    signing: keys::Signer,
    /// Where the signed bundle goes, or the signature of a folder; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Read { package, compression } = files::read(&args.bundle)?;
    let Some(signatures) = args.signing.sign(&package)? else {
        crate::cli::complain("name the key with --signing-key");
        return Ok(ExitCode::from(crate::cli::exit::CONFIG));
    };
    let files = count(package.files.len(), "file");
    let output = if let Some(compression) = compression {
        let output = args.output.clone().unwrap_or_else(|| args.bundle.clone());
        let signed = Package { signatures: Some(signatures), ..package };
        files::write(&output, &signed.write(compression))?;
        output
    } else {
        let output = args.output.clone().unwrap_or_else(|| args.bundle.join(".signatures.json"));
        files::write(&output, &signatures)?;
        output
    };
    say_aside(&format!("{}: {files} signed", output.display()));
    Ok(ExitCode::SUCCESS)
}
