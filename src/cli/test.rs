//! `verdict test`: the policies' own unit tests.

mod json;
mod junit;
mod pretty;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::ValueEnum;
use regex::Regex;
use verdict::policy::testing::{Coverage, Options, Outcome, Run, Suite, Test};

use super::{complain, exit, folder};

const EXAMPLES: &str = "\
A test is a rule whose name starts with `test_`, usually in a file that ends in `_test.rego`:

  package authz_test
  import data.authz
  test_owner_may_read if authz.allow with input as {\"subject\": {\"id\": \"alice\"}}

It passes if its value is `true`. `todo_test_…` is skipped; `test_each[note] if { some note, case in {…}; … }` is a table
of cases.

Examples:
  verdict test policies/
  verdict test policies/ -v --run 'rbac.*admin'
  verdict test policies/ --threshold 90
  verdict test policies/ --format junit > report.xml

Exit: 0 all passed, 1 a test did not pass or coverage is below the threshold, 2 the tests could not run.";

/// Run the unit tests of policies
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Folders of policies and tests, or single files
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// Show every test, and what it printed
    #[arg(short, long)]
    verbose: bool,
    /// Run only tests whose path, like `data.authz_test.test_owner`, matches
    #[arg(long, value_name = "REGEX")]
    run: Option<Regex>,
    /// Report the lines of policies that no test reached
    #[arg(long)]
    coverage: bool,
    /// Fail if less than that many percent of lines are covered; implies --coverage
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    threshold: Option<f64>,
    /// How results are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    rego_v0: bool,
    /// The most that one test may take: `500ms`, `5s`, `1m`
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Pretty,
    /// One object: `tests`, `summary` and `coverage`
    Json,
    /// `JUnit` XML, a test suite for each package
    Junit,
}

/// Everything that was run, in order.
struct Results {
    runs: Vec<(Test, Run)>,
    coverage: Option<Coverage>,
}

/// How many tests ended how.
#[derive(Default)]
struct Summary {
    passed: usize,
    failed: usize,
    skipped: usize,
    errors: usize,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let coverage = args.coverage || args.threshold.is_some();
    let options = Options { rego_v0: args.rego_v0, timeout: args.timeout, coverage };
    let suite = folder::read(&args.paths)?.whole().and_then(|bundle| Suite::compile(&bundle, options));
    let mut suite = match suite {
        Ok(suite) => suite,
        Err(faults) => {
            super::show_faults(&faults);
            return Ok(ExitCode::from(exit::FAILED));
        }
    };
    let chosen: Vec<Test> = suite
        .tests()
        .iter()
        .filter(|test| args.run.as_ref().is_none_or(|pattern| pattern.is_match(&test.to_string())))
        .cloned()
        .collect();
    if chosen.is_empty() {
        complain(&nothing_to_run(args, suite.tests()));
        return Ok(ExitCode::from(exit::FAILED));
    }
    let mut runs = Vec::new();
    for test in chosen {
        let run = suite.run(&test);
        if args.format == Format::Pretty {
            pretty::one(&test, &run, args.verbose);
        }
        runs.push((test, run));
    }
    let results = Results { runs, coverage: coverage.then(|| suite.coverage().clone()) };
    match args.format {
        Format::Pretty => pretty::end(&results),
        Format::Json => super::say(&json::report(&results)),
        Format::Junit => super::say(&junit::report(&results)),
    }
    Ok(verdict(&results, args.threshold))
}

fn verdict(results: &Results, threshold: Option<f64>) -> ExitCode {
    let summary = results.summary();
    let covered = results.coverage.as_ref().map_or(100.0, Coverage::percent);
    let below = threshold.filter(|threshold| covered < *threshold);
    if let Some(threshold) = below {
        complain(&format!(
            "coverage is {covered:.2} %, below the threshold of {threshold} %; the lines that no test reached are listed by `--coverage`"
        ));
    }
    if summary.failed + summary.errors > 0 || below.is_some() { ExitCode::from(exit::NO) } else { ExitCode::SUCCESS }
}

fn nothing_to_run(args: &Args, tests: &[Test]) -> String {
    if let (Some(pattern), [first, ..]) = (&args.run, tests) {
        return format!("none of {} tests matches `{pattern}`; paths look like `{first}`", tests.len());
    }
    let paths: Vec<String> = args.paths.iter().map(|path| format!("`{}`", path.display())).collect();
    format!(
        "no tests in {}; a test is a rule whose name starts with `test_`, usually in a file that ends in \
         `_test.rego`:\n\n  package authz_test\n\n  import data.authz\n\n  test_owner_may_read if authz.allow with \
         input as {{\"subject\": {{\"id\": \"alice\"}}}}",
        paths.join(", ")
    )
}

impl Results {
    fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for (_, run) in &self.runs {
            *match run.outcome {
                Outcome::Pass => &mut summary.passed,
                Outcome::Fail => &mut summary.failed,
                Outcome::Skip => &mut summary.skipped,
                Outcome::Error(_) => &mut summary.errors,
            } += 1;
        }
        summary
    }
}

fn percent(text: &str) -> anyhow::Result<f64> {
    let percent: f64 = text.trim_end_matches('%').trim().parse().context("not a number; write it like `80`")?;
    anyhow::ensure!((0.0..=100.0).contains(&percent), "not between 0 and 100");
    Ok(percent)
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().context("not a duration; write it like `500ms`, `5s` or `1m`")?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => anyhow::bail!("not a duration; write it like `500ms`, `5s` or `1m`"),
    };
    anyhow::ensure!(!duration.is_zero(), "must be more than zero");
    Ok(duration)
}
