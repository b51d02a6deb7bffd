//! Results for people, in OPA's words.

use std::{collections::BTreeSet, fmt::Write as _};

use verdict::policy::{
    printable,
    testing::{Coverage, Outcome, Run, Test},
};

use super::{Results, values::Values};
use crate::cli::colour;

/// One test, if it is shown: all are with `verbose`, otherwise those that did not pass.
pub(super) fn one(test: &Test, run: &Run, values: &Values, verbose: bool) -> String {
    if verbose || run.outcome != Outcome::Pass {
        text(test, run, values, verbose, colour()).trim_end().to_owned()
    } else {
        String::new()
    }
}

/// What comes after all tests; the coverage only where no other report has it.
pub(super) fn end(results: &Results, with_coverage: bool) -> String {
    let coverage = results.coverage.as_ref().filter(|_| with_coverage).map(covered);
    let counts = counts(results, colour());
    coverage.map_or(counts.clone(), |coverage| format!("{coverage}\n{counts}"))
}

/// How a test ended, in a word.
pub(super) fn word(outcome: &Outcome, colour: bool) -> String {
    let (word, shade) = match outcome {
        Outcome::Pass => ("PASS", "32"),
        Outcome::Fail => ("FAIL", "31"),
        Outcome::Skip => ("SKIPPED", "33"),
        Outcome::Error(_) => ("ERROR", "31"),
    };
    paint(word, shade, colour)
}

fn text(test: &Test, run: &Run, values: &Values, verbose: bool, colour: bool) -> String {
    let place = format!("{}:{}", test.position.file, test.position.line);
    let mut out = format!("{}: {}: {}", printable(&place), printable(&test.to_string()), word(&run.outcome, colour));
    if run.outcome != Outcome::Skip {
        let _ = write!(out, " ({:.2?})", run.duration);
    }
    out.push('\n');
    if let Outcome::Error(message) = &run.outcome {
        let _ = writeln!(out, "  {}", printable(message.trim()).replace('\n', "\n  "));
    }
    for case in run.cases.iter().filter(|case| verbose || !case.passed) {
        let word = word(if case.passed { &Outcome::Pass } else { &Outcome::Fail }, colour);
        let _ = writeln!(out, "  {}: {word}", printable(&case.name()));
    }
    for line in values.text(test, colour).lines() {
        let _ = writeln!(out, "  {line}");
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
        let _ = write!(out, "  {:>6.2} %  {}", file.share().percent(), printable(path));
        let missed = file.not_covered();
        if !missed.is_empty() {
            let _ = write!(out, "  not covered: {}", list(&missed));
        }
        out.push('\n');
        for rule in file.rules.iter().filter(|rule| rule.hits == 0 && rule.all > 0) {
            let _ = writeln!(out, "              no test reaches {} (line {})", printable(&rule.name), rule.first);
        }
    }
    let rules = coverage.rules();
    let _ = writeln!(out, "  {:>6.2} %  in all; {} of {} rules reached", coverage.percent(), rules.covered, rules.all);
    out
}

/// `3-5, 9`
fn list(lines: &BTreeSet<u32>) -> String {
    let text = |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
    ranges(lines).into_iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Neighbouring lines together, each range with its first and its last.
pub(super) fn ranges(lines: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) == *line => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    ranges
}

pub(super) fn paint(text: &str, shade: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{shade}m{text}\u{1b}[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_neighbouring_lines() {
        assert_eq!(list(&BTreeSet::from([9, 3, 4, 5, 11])), "3-5, 9, 11");
        assert_eq!(list(&BTreeSet::new()), "");
    }
}
