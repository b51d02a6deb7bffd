//! `verdict lint`: everything that is wrong with policies, without running them.

use std::{path::PathBuf, process::ExitCode};

use clap::ValueEnum;
use serde_json::{Value, json};
use verdict::{
    bundle::Bundle,
    policy::{Fault, Faults, Options, Snapshot},
};

use super::{colour, exit, folder, say};

const EXAMPLES: &str = "\
Examples:
  verdict lint policies/
  verdict lint policies/ --format json | jq -r '.[] | \"\\(.file):\\(.line): \\(.message)\"'

Exit: 0 nothing is wrong, 1 something is, 2 the files could not be read.";

/// Check policies and their tests without running them, and show every fault
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Folders of policies and tests, or single files
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// How faults are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    rego_v0: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with source lines
    #[default]
    Pretty,
    /// An array of `{code, message, help, file, line, column}`
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let folder::Read { bundle, mut faults } = folder::read(&args.paths)?;
    let snapshot = compile(&bundle, args.rego_v0).map_err(|found| faults.extend(found.0)).ok();
    match args.format {
        Format::Json => say(&format!("{:#}", faults.iter().map(as_json).collect::<Value>())),
        Format::Pretty if faults.is_empty() => {
            if let Some(snapshot) = snapshot {
                say(&summary(&bundle, &snapshot));
            }
        }
        Format::Pretty => {
            for fault in &faults {
                say(&fault.render(colour()));
                say("");
            }
            say(&count(faults.len(), "fault"));
        }
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

/// Compiles everything, and then what is served alone: a policy that needs something of a test file works nowhere else.
fn compile(bundle: &Bundle, rego_v0: bool) -> Result<Snapshot, Faults> {
    let options = Options { rego_v0, tests: true, ..Options::default() };
    Snapshot::compile(bundle, 1, options)?;
    Snapshot::compile(bundle, 1, Options { tests: false, ..options })
}

fn summary(bundle: &Bundle, snapshot: &Snapshot) -> String {
    let mut out = format!(
        "{}, {}, {}; nothing is wrong",
        count(bundle.modules.len() + bundle.tests.len(), "file"),
        count(snapshot.size().rules, "rule"),
        count(bundle.data.len(), "data document"),
    );
    match snapshot.entry_points().as_slice() {
        [] => out.push_str("\nno entry points: no package has a rule `decision` or `allow`"),
        entry_points => {
            out.push_str("\nentry points:");
            for entry in entry_points {
                out.push_str("\n  ");
                out.push_str(&verdict::policy::printable(entry));
            }
        }
    }
    out
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn as_json(fault: &Fault) -> Value {
    let place = fault.position.as_ref();
    json!({
        "code": fault.code,
        "message": fault.cause,
        "help": fault.help,
        "file": place.map(|place| place.file.to_string()),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}
