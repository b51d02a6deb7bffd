//! `verdict log verify`: whether a chained log is as it was written.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use serde_json::json;
use verdict::{
    audit::{
        chain::Verifier,
        verify::{Report, verify},
    },
    policy::printable,
};

use crate::cli::{exit, say};

/// Check that no record of a chained log was changed, removed, moved or cut off
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict log verify /var/log/verdict/decisions.log --key public.pem
  verdict log verify /var/log/verdict/decisions.log --key new.pem --key old.pem --sealed
  verdict log verify /var/log/verdict/decisions.log --json")]
pub(super) struct Args {
    /// The file that the log is written to
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The public key of the checkpoints (PEM); again for an earlier key. Without it, signatures are not checked, and who
    /// can write the file can have written all of it
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Fail, too, if there are records that no checkpoint seals yet, as while a server writes
    #[arg(long)]
    sealed: bool,
    /// One object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let keys = args.key.iter().map(|path| Verifier::open(path)).collect::<Result<Vec<_>, _>>()?;
    let report = verify(&args.file, &keys)?;
    say(&if args.json { json(&report) } else { text(&report) });
    let sound = report.faults.is_empty() && !(args.sealed && report.unsealed > 0);
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

fn text(report: &Report) -> String {
    let Report { records, checkpoints, first, last, unsealed, signatures, faults } = report;
    let mut text = String::new();
    for fault in faults {
        let _ = writeln!(text, "{}: {}", printable(&fault.place), fault.problem);
    }
    let found = match faults.len() {
        0 => "nothing is changed or missing".to_owned(),
        1 => "1 fault".to_owned(),
        count => format!("{count} faults"),
    };
    let plural = if *checkpoints == 1 { "" } else { "s" };
    let _ = write!(
        text,
        "{records} records, {checkpoints} checkpoint{plural}, lines {first} to {last} of the chain: {found}"
    );
    if *first > 1 {
        let _ = write!(text, "\nlines before {first} were in files that are gone");
    }
    if *unsealed > 0 {
        let _ =
            write!(text, "\nthe last {unsealed} records are after the last checkpoint: nothing vouches for them yet");
    }
    if !signatures {
        text.push_str("\nno --key was given: the checkpoints' signatures were not checked");
    }
    text
}

fn json(report: &Report) -> String {
    let Report { records, checkpoints, first, last, unsealed, signatures, faults } = report;
    let faults: Vec<_> = faults.iter().map(|fault| json!({"place": fault.place, "problem": fault.problem})).collect();
    json!({
        "records": records, "checkpoints": checkpoints, "first": first, "last": last, "unsealed": unsealed,
        "signatures": signatures, "faults": faults,
    })
    .to_string()
}
