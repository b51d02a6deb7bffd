//! Results for build servers: XML as `JUnit` writes it, a test suite for each package.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use verdict::policy::testing::{Outcome, Run, Test};

use super::{Results, values::Values};

pub(super) fn report(results: &Results) -> String {
    let mut packages: BTreeMap<&str, Vec<&(Test, Run)>> = BTreeMap::new();
    for run in &results.runs {
        packages.entry(&run.0.package).or_default().push(run);
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites name=\"verdict\"{}>", counts(&results.runs.iter().collect::<Vec<_>>()));
    for (package, runs) in packages {
        let _ = writeln!(out, "  <testsuite name=\"{}\"{}>", escaped(package), counts(&runs));
        for (test, run) in runs {
            one(&mut out, test, run, &results.values);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>");
    out
}

fn counts(runs: &[&(Test, Run)]) -> String {
    let count = |is: fn(&Outcome) -> bool| runs.iter().filter(|(_, run)| is(&run.outcome)).count();
    format!(
        " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\"",
        runs.len(),
        count(|outcome| *outcome == Outcome::Fail),
        count(|outcome| matches!(outcome, Outcome::Error(_))),
        count(|outcome| *outcome == Outcome::Skip),
        seconds(runs.iter().map(|(_, run)| run.duration).sum()),
    )
}

fn one(out: &mut String, test: &Test, run: &Run, values: &Values) {
    let place = format!("{}:{}", test.position.file, test.position.line);
    let _ = writeln!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{}\">",
        escaped(&test.package),
        escaped(&test.name),
        escaped(&test.position.file),
        test.position.line,
        seconds(run.duration),
    );
    match &run.outcome {
        Outcome::Pass => {}
        Outcome::Fail => {
            let failed: Vec<String> =
                run.cases.iter().filter(|case| !case.passed).map(verdict::policy::testing::Case::name).collect();
            let message = match failed.as_slice() {
                [] => format!("{place}: its value is not true"),
                cases => format!("{place}: failed for {}", cases.join(", ")),
            };
            let why = values.text(test, false);
            let _ = writeln!(out, "      <failure message=\"{}\">{}</failure>", escaped(&message), escaped(&why));
        }
        Outcome::Skip => out.push_str("      <skipped/>\n"),
        Outcome::Error(message) => {
            let _ = writeln!(out, "      <error message=\"{}\"/>", escaped(message));
        }
    }
    if !run.prints.is_empty() {
        let _ = writeln!(out, "      <system-out>{}</system-out>", escaped(&run.prints.join("\n")));
    }
    out.push_str("    </testcase>\n");
}

fn seconds(duration: Duration) -> String {
    format!("{:.6}", duration.as_secs_f64())
}

/// Text for an element or an attribute. Characters that XML 1.0 §2.2 lacks are replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // As a reference, so that an attribute keeps it.
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_xml_would_read() {
        assert_eq!(escaped("<a b=\"c\">&\u{1b}\n"), "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}&#10;");
    }
}
