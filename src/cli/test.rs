//! `verdict test`: the policies' own unit tests.

mod args;
mod bench;
mod changes;
mod covered;
mod html;
mod json;
mod junit;
mod lcov;
mod pretty;
mod values;
mod watch;

use std::process::ExitCode;

use verdict::policy::{
    Faults,
    testing::{Coverage, Outcome, Run, Test},
};

pub(super) use self::args::Args;
use self::args::Format;
use super::{complain, exit};

/// Everything that was run, in order.
struct Results {
    runs: Vec<(Test, Run)>,
    coverage: Option<Coverage>,
    values: values::Values,
}

/// How many tests ended how.
#[derive(Default)]
struct Summary {
    passed: usize,
    failed: usize,
    skipped: usize,
    errors: usize,
}

/// Why there are no results.
enum Nothing {
    /// The policies have faults.
    Faults(Faults),
    /// There is no such test.
    NoTests(String),
    /// Something else.
    Error(anyhow::Error),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let report = match args.report() {
        Ok(report) => report,
        Err(wrong) => {
            complain(wrong);
            return Ok(ExitCode::from(exit::CONFIG));
        }
    };
    if args.watch {
        return watch::run(args, report.as_ref());
    }
    if args.bench {
        return match args.suite().and_then(|suite| args.chosen(&suite).map(|chosen| (suite, chosen))) {
            Ok((mut suite, chosen)) => Ok(bench::run(args, &mut suite, &chosen)),
            Err(nothing) => nothing.tell(),
        };
    }
    match once(args, report.as_ref()) {
        Ok(results) => finish(args, report.as_ref(), &results),
        Err(nothing) => nothing.tell(),
    }
}

/// Runs what is chosen, and shows each test as soon as it ended where that is for people.
fn once(args: &Args, report: Option<&covered::Report>) -> Result<Results, Nothing> {
    let mut suite = args.suite()?;
    let chosen = args.chosen(&suite)?;
    let quiet = args.var_values || args.format != Format::Pretty;
    let show = |test: &Test, run: &Run, values: &values::Values| {
        tell(report, &pretty::one(test, run, values, args.verbose));
    };
    let none = values::Values::default();
    let runs = suite.run_all(&chosen, |test, run| {
        if !quiet {
            show(test, run, &none);
        }
    });
    let runs: Vec<(Test, Run)> = chosen.into_iter().zip(runs).collect();
    let values = if args.var_values { values::of(&suite, &runs) } else { none };
    if args.var_values && args.format == Format::Pretty {
        for (test, run) in &runs {
            show(test, run, &values);
        }
    }
    let coverage = args.wants_coverage().then(|| suite.coverage().clone());
    Ok(Results { runs, coverage, values })
}

/// Shows what comes after all tests.
fn finish(args: &Args, report: Option<&covered::Report>, results: &Results) -> anyhow::Result<ExitCode> {
    match args.format {
        Format::Pretty => tell(report, &pretty::end(results, report.is_none())),
        Format::Json => super::say(&json::report(results)),
        Format::Junit => super::say(&junit::report(results)),
    }
    if let (Some(report), Some(coverage)) = (report, &results.coverage) {
        report.write(coverage)?;
    }
    Ok(verdict(results, args.threshold))
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

impl Nothing {
    fn tell(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Faults(faults) => super::show_faults(&faults),
            Self::NoTests(why) => complain(&why),
            Self::Error(error) => return Err(error),
        }
        Ok(ExitCode::from(exit::FAILED))
    }
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

/// Results for people: on standard error where the coverage report has standard output.
fn tell(report: Option<&covered::Report>, text: &str) {
    if text.is_empty() {
        return;
    }
    if report.is_some_and(covered::Report::is_on_output) {
        super::say_aside(text);
    } else {
        super::say(text);
    }
}
