//! Results for people, in OPA's words.

use std::{collections::BTreeSet, fmt::Write as _};

use verdict::policy::{
    printable,
    testing::{Coverage, Outcome, Run, Test},
};

use super::Results;
use crate::cli::{colour, say};

/// Shows one test as soon as it ran: all with `verbose`, otherwise those that did not pass.
pub(super) fn one(test: &Test, run: &Run, verbose: bool) {
    if verbose || run.outcome != Outcome::Pass {
        say(text(test, run, verbose, colour()).trim_end());
    }
}

/// Shows what comes after all tests.
pub(super) fn end(results: &Results) {
    if let Some(coverage) = &results.coverage {
        say(&covered(coverage));
    }
    say(&counts(results, colour()));
}

fn text(test: &Test, run: &Run, verbose: bool, colour: bool) -> String {
    let place = format!("{}:{}", test.position.file, test.position.line);
    let (word, shade) = match run.outcome {
        Outcome::Pass => ("PASS", "32"),
        Outcome::Fail => ("FAIL", "31"),
        Outcome::Skip => ("SKIPPED", "33"),
        Outcome::Error(_) => ("ERROR", "31"),
    };
    let mut out = format!("{}: {}: {}", printable(&place), printable(&test.to_string()), paint(word, shade, colour));
    if run.outcome != Outcome::Skip {
        let _ = write!(out, " ({:.2?})", run.duration);
    }
    out.push('\n');
    if let Outcome::Error(message) = &run.outcome {
        let _ = writeln!(out, "  {}", printable(message.trim()).replace('\n', "\n  "));
    }
    for case in run.cases.iter().filter(|case| verbose || !case.passed) {
        let _ = writeln!(out, "  {}: {}", printable(&case.name), if case.passed { "PASS" } else { "FAIL" });
    }
    for line in &run.prints {
        let _ = writeln!(out, "  | {}", printable(line.trim_end()).replace('\n', "\n  | "));
    }
    out
}

fn counts(results: &Results, colour: bool) -> String {
    let summary = results.summary();
    let all = results.runs.len();
    let line = |word: &str, count: usize, shade: &str| {
        (count > 0).then(|| format!("{}: {count}/{all}", paint(word, shade, colour)))
    };
    let lines = [
        // Said even where it is none, so that the line is always there.
        Some(format!("{}: {}/{all}", paint("PASS", "32", colour), summary.passed)),
        line("FAIL", summary.failed, "31"),
        line("SKIPPED", summary.skipped, "33"),
        line("ERROR", summary.errors, "31"),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn covered(coverage: &Coverage) -> String {
    let mut out = String::from("\nCoverage:\n");
    for (path, file) in &coverage.files {
        let _ = write!(out, "  {:>6.2} %  {}", file.percent(), printable(path));
        if !file.not_covered.is_empty() {
            let _ = write!(out, "  not covered: {}", ranges(&file.not_covered));
        }
        out.push('\n');
    }
    let _ = writeln!(out, "  {:>6.2} %  in all", coverage.percent());
    out
}

/// `3-5, 9`
fn ranges(lines: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) == *line => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let text = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    ranges.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

fn paint(text: &str, shade: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{shade}m{text}\u{1b}[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_neighbouring_lines() {
        assert_eq!(ranges(&BTreeSet::from([9, 3, 4, 5, 11])), "3-5, 9, 11");
        assert_eq!(ranges(&BTreeSet::new()), "");
    }
}
