//! `verdict test --bench`: how long each test takes.

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};
use verdict::policy::{
    printable,
    testing::{Bench, Outcome, Run, Suite, Test},
};

use super::{Args, Format, json, pretty, values::Values};
use crate::cli::{colour, exit, say};

/// The least that all runs of one test may take: as in OPA.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures one test after the other, so that none disturbs another.
pub(super) fn run(args: &Args, suite: &mut Suite, chosen: &[Test]) -> ExitCode {
    let limit = PATIENCE.max(args.bench_time.saturating_mul(3));
    let width = chosen.iter().map(|test| printable(&test.to_string()).chars().count()).max().unwrap_or(0);
    let mut measured = Vec::new();
    for test in chosen {
        let result = suite.bench(test, args.bench_time, limit);
        if args.format == Format::Pretty {
            if measured.is_empty() {
                say(&head(width));
            }
            say(&line(test, &result, width));
        }
        measured.push((test, result));
    }
    if args.format == Format::Json {
        let all: Vec<Value> = measured.iter().map(|(test, result)| object(test, result)).collect();
        say(&format!("{:#}", json!({"tests": all})));
    }
    let bad = |result: &Result<Bench, Outcome>| !matches!(result, Ok(_) | Err(Outcome::Skip));
    if measured.iter().any(|(_, result)| bad(result)) { ExitCode::from(exit::NO) } else { ExitCode::SUCCESS }
}

fn head(width: usize) -> String {
    format!("{:width$}  {:>10}  {:>13}  {:>8}  {:>12}  {:>12}", "test", "runs", "ns/op", "spread", "min", "max")
}

fn line(test: &Test, result: &Result<Bench, Outcome>, width: usize) -> String {
    let name = test.to_string();
    let name = printable(&name);
    match result {
        Ok(bench) => {
            let sample = bench.sample;
            let spread = if sample.median > 0.0 { sample.spread * 100.0 / sample.median } else { 0.0 };
            format!(
                "{name:width$}  {:>10}  {:>13.0}  {:>8}  {:>12.0}  {:>12.0}",
                bench.runs,
                sample.median,
                format!("±{spread:.1} %"),
                sample.min,
                sample.max
            )
        }
        Err(outcome) => {
            let why = if let Outcome::Error(message) = outcome { message.as_str() } else { "" };
            format!("{name:width$}  {}  {}", pretty::word(outcome, colour()), printable(why)).trim_end().to_owned()
        }
    }
}

/// OPA's names, `benchmark_result` with the spread.
fn object(test: &Test, result: &Result<Bench, Outcome>) -> Value {
    let (outcome, duration) = match result {
        Ok(bench) => (Outcome::Pass, bench.elapsed),
        Err(outcome) => (outcome.clone(), Duration::ZERO),
    };
    let run = Run { outcome, cases: Vec::new(), duration, prints: Vec::new() };
    let mut object = json::one(test, &run, &Values::default());
    if let (Ok(bench), Some(members)) = (result, object.as_object_mut()) {
        let sample = bench.sample;
        let measured = json!({
            "N": bench.runs,
            "T": u64::try_from(bench.elapsed.as_nanos()).unwrap_or(u64::MAX),
            "ns_per_op": {
                "median": sample.median,
                "spread": sample.spread,
                "mean": sample.mean,
                "stddev": sample.deviation,
                "min": sample.min,
                "max": sample.max,
                "batches": sample.count,
            },
        });
        members.insert("benchmark_result".to_owned(), measured);
    }
    object
}
