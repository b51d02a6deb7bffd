//! `verdict lint`: everything that is wrong with policies, without running them.

mod json;
mod sarif;

use std::{path::PathBuf, process::ExitCode};

use clap::ValueEnum;
use verdict::{
    bundle::Bundle,
    decision::EntryPoint,
    policy::{self, Capabilities, Fault, Faults, Options, Severity, Snapshot},
};

use super::{capabilities, colour, exit, folder, say};

const EXAMPLES: &str = "\
Examples:
  verdict lint policies/
  verdict lint policies/ --deny-warnings --entry data.authz
  verdict lint policies/ --format json | jq -r '.[] | \"\\(.file):\\(.line): \\(.message)\"'
  verdict lint policies/ --format sarif > verdict.sarif
  verdict lint --print-capabilities > capabilities.json

`docs/lint.md` has every code with an example and the remedy.

Exit: 0 no faults, 1 a fault, or a warning with --deny-warnings, 2 the files could not be read.";

/// Check policies and their tests without running them, and show every fault and warning
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Folders of policies and tests, or single files
    #[arg(required_unless_present = "print_capabilities", value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// How findings are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Warnings are faults, too
    #[arg(long, visible_alias = "strict")]
    deny_warnings: bool,
    /// A rule or package that will be asked, like `data.authz`; may be given more than once. Rules that none of them
    /// reaches are warned of [default: the rules of the decision contract]
    #[arg(long, value_name = "REF")]
    entry: Vec<EntryPoint>,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    rego_v0: bool,
    /// The built-ins that policies may call, in OPA's format (`opa capabilities --current`) [default: all]
    #[arg(long, value_name = "FILE", value_parser = capabilities)]
    capabilities: Option<Capabilities>,
    /// Print the built-ins that there are, in OPA's format, and exit
    #[arg(long, conflicts_with = "paths")]
    print_capabilities: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with source lines
    #[default]
    #[value(alias = "pretty")]
    Text,
    /// An array of `{severity, code, message, help, file, line, column, length}`
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.print_capabilities {
        say(&format!("{:#}", Capabilities::current()));
        return Ok(ExitCode::SUCCESS);
    }
    let folder::Read { bundle, faults: mut found } = folder::read(&args.paths)?;
    let capabilities = args.capabilities.unwrap_or_default();
    let options = Options { rego_v0: args.rego_v0, tests: true, capabilities, ..Options::default() };
    let snapshot = compile(&bundle, options).map_err(|faults| found.extend(faults.0)).ok();
    found.extend(policy::warnings(&bundle, options, &args.entry));
    found.sort_by(|one, other| (&one.position, one.code).cmp(&(&other.position, other.code)));
    match args.format {
        Format::Json => say(&json::report(&found)),
        Format::Sarif => say(&sarif::report(&found)),
        Format::Text => {
            for fault in &found {
                say(&fault.render(colour()));
                say("");
            }
            match snapshot {
                Some(snapshot) => say(&summary(&bundle, &snapshot, &found)),
                None => say(&counted(&found)),
            }
        }
    }
    let refused = found.iter().any(|fault| args.deny_warnings || fault.severity == Severity::Fault);
    Ok(if refused { ExitCode::from(exit::NO) } else { ExitCode::SUCCESS })
}

/// Compiles everything, and then what is served alone: a policy that needs something of a test file works nowhere else.
fn compile(bundle: &Bundle, options: Options) -> Result<Snapshot, Faults> {
    Snapshot::compile(bundle, 1, options)?;
    Snapshot::compile(bundle, 1, Options { tests: false, ..options })
}

fn summary(bundle: &Bundle, snapshot: &Snapshot, found: &[Fault]) -> String {
    let mut out = format!(
        "{}, {}, {}; {}",
        count(bundle.modules.len() + bundle.tests.len(), "file"),
        count(snapshot.size().rules, "rule"),
        count(bundle.data.len(), "data document"),
        counted(found),
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

fn counted(found: &[Fault]) -> String {
    let warnings = found.iter().filter(|fault| fault.severity == Severity::Warning).count();
    match (found.len() - warnings, warnings) {
        (0, 0) => "nothing is wrong".to_owned(),
        (faults, 0) => count(faults, "fault"),
        (0, warnings) => count(warnings, "warning"),
        (faults, warnings) => format!("{}, {}", count(faults, "fault"), count(warnings, "warning")),
    }
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
