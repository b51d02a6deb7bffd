//! The flags of `verdict test`, and what they choose.

use std::{path::PathBuf, thread, time::Duration};

use anyhow::Context as _;
use clap::ValueEnum;
use regex::Regex;
use verdict::policy::{
    Capabilities,
    testing::{Options, Suite, Test},
};

use super::{Nothing, covered};
use crate::cli::{capabilities, duration, folder};

const EXAMPLES: &str = "\
A test is a rule whose name starts with `test_`, usually in a file that ends in `_test.rego`:

  package authz_test
  import data.authz
  test_owner_may_read if authz.allow with input as {\"subject\": {\"id\": \"alice\"}}

It passes if its value is `true`. `todo_test_…` is skipped.
`test_each[note] if { some note, case in {…}; … }` is a table of cases.
Several folders are one policy set, as in `opa test a b`.

Examples:
  verdict test policies/
  verdict test policies/ -v --run 'rbac.*admin'
  verdict test policies/ --var-values
  verdict test policies/ --watch
  verdict test policies/ --threshold 90 --coverage-out coverage.html
  verdict test policies/ --coverage-format lcov > lcov.info
  verdict test policies/ --bench --run admin
  verdict test policies/ --format junit > report.xml

Exit: 0 all passed, 1 a test did not pass or coverage is below the threshold,
2 the tests could not run or there are none, 64 wrong usage. A skipped test is no failure.";

/// Run the unit tests of policies
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag by itself")]
pub(in crate::cli) struct Args {
    /// Folders of policies and tests, or single files; together they are one policy set
    #[arg(required = true, value_name = "DIR")]
    pub(super) paths: Vec<PathBuf>,
    /// Show every test, and what it printed
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Run only tests whose path, like `data.authz_test.test_owner`, matches
    #[arg(short, long, value_name = "REGEX")]
    pub(super) run: Option<Regex>,
    /// How many tests run at once, each on an evaluator of its own; 0 for as many as there are cores
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub(super) parallel: u16,
    /// Show the condition of a failed test that did not hold, with the values that it saw
    #[arg(long)]
    pub(super) var_values: bool,
    /// Report the lines of policies that no test reached
    #[arg(short, long)]
    pub(super) coverage: bool,
    /// Write the coverage like this instead of for people, on standard output or to --coverage-out; implies --coverage
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) coverage_format: Option<covered::Format>,
    /// Write the coverage to this file; without --coverage-format its name says how: `.html`, `.json`, `.info`
    #[arg(long, value_name = "FILE")]
    pub(super) coverage_out: Option<PathBuf>,
    /// Fail if less than that many percent of lines are covered; implies --coverage
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(super) threshold: Option<f64>,
    /// How results are shown
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// Run again whenever a file changes, and show which results changed, until Ctrl-C
    #[arg(short, long, conflicts_with = "bench")]
    pub(super) watch: bool,
    /// Measure how long each test takes: it is repeated, one test at a time
    #[arg(long, conflicts_with_all = ["coverage", "coverage_format", "coverage_out", "threshold", "var_values"])]
    pub(super) bench: bool,
    /// How long --bench repeats each test
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse, requires = "bench")]
    pub(super) bench_time: Duration,
    /// Read files without `import rego.v1` as Rego v0
    #[arg(long)]
    pub(super) rego_v0: bool,
    /// The built-ins that policies may call, in OPA's format (`opa capabilities --current`) [default: all]
    #[arg(long, value_name = "FILE", value_parser = capabilities)]
    pub(super) capabilities: Option<Capabilities>,
    /// The most that one test may take: `500ms`, `5s`, `1m`
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    pub(super) timeout: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Pretty,
    /// One object: `tests`, `summary` and `coverage`
    Json,
    /// `JUnit` XML, a test suite for each package
    Junit,
}

impl Args {
    pub(super) fn wants_coverage(&self) -> bool {
        self.coverage || self.threshold.is_some() || self.coverage_format.is_some() || self.coverage_out.is_some()
    }

    /// Where the coverage goes, if not to people; or what is wrong with the flags.
    pub(super) fn report(&self) -> Result<Option<covered::Report>, &'static str> {
        if self.watch && self.format != Format::Pretty {
            return Err("--watch shows results for people; leave out --format");
        }
        if self.bench && self.format == Format::Junit {
            return Err("JUnit has no measurements; use `--format json` with --bench");
        }
        let report = covered::Report::of(self.coverage_format, self.coverage_out.as_deref())?;
        if report.as_ref().is_some_and(covered::Report::is_on_output) && self.format != Format::Pretty {
            return Err("two reports on standard output would be neither; name a file with --coverage-out");
        }
        Ok(report)
    }

    pub(super) fn suite(&self) -> Result<Suite, Nothing> {
        let parallel = match usize::from(self.parallel) {
            _ if self.bench => 1,
            0 => thread::available_parallelism().map_or(1, usize::from),
            some => some,
        };
        let options = Options {
            rego_v0: self.rego_v0,
            capabilities: self.capabilities.unwrap_or_default(),
            timeout: self.timeout,
            coverage: self.wants_coverage(),
            parallel,
        };
        let bundle = folder::read(&self.paths).map_err(Nothing::Error)?.whole().map_err(Nothing::Faults)?;
        Suite::compile(&bundle, options).map_err(Nothing::Faults)
    }

    pub(super) fn chosen(&self, suite: &Suite) -> Result<Vec<Test>, Nothing> {
        let chosen = |test: &&Test| self.run.as_ref().is_none_or(|pattern| pattern.is_match(&test.to_string()));
        let chosen: Vec<Test> = suite.tests().iter().filter(chosen).cloned().collect();
        if chosen.is_empty() { Err(Nothing::NoTests(nothing_to_run(self, suite.tests()))) } else { Ok(chosen) }
    }
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

fn percent(text: &str) -> anyhow::Result<f64> {
    let percent: f64 = text.trim_end_matches('%').trim().parse().context("not a number; write it like `80`")?;
    anyhow::ensure!((0.0..=100.0).contains(&percent), "not between 0 and 100");
    Ok(percent)
}
