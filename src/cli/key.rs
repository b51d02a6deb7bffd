//! `verdict key`: a key for a caller, and the line that makes it good.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use verdict::api::caller::{KEY_PREFIX, Keys};

use super::say;

/// Make a key that proves a caller, and the line for `callers.keys_file`
///
/// The key is random, and shown once: the file has its hash only. The caller sends it as `Authorization: Bearer KEY`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the caller is called: policies and grants see `key:NAME`
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = &args.name;
    ensure!(Keys::is_name(name), "`{name}` is no name of 1 to 64 letters, digits, `_`, `-` and `.`");
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok().context("the system gives no random numbers")?;
    let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    say(&format!("key   {key}\nline  {}", Keys::line(name, &key)));
    Ok(ExitCode::SUCCESS)
}
