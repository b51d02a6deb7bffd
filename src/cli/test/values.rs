//! `verdict test --var-values`: the condition that did not hold, and what it saw.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value as Json, json};
use verdict::policy::{
    printable,
    testing::{Run, Suite, Test, Why},
};

use super::pretty::paint;

/// Why tests failed, by the test's path.
#[derive(Default)]
pub(super) struct Values(BTreeMap<String, Vec<Why>>);

pub(super) fn of(suite: &Suite, runs: &[(Test, Run)]) -> Values {
    let whys = suite.why(runs.iter().map(|(test, run)| (test, run)));
    Values(runs.iter().map(|(test, _)| test.to_string()).zip(whys).collect())
}

impl Values {
    /// For people: the line, a caret under the condition, and a line for each value.
    pub(super) fn text(&self, test: &Test, colour: bool) -> String {
        let mut out = String::new();
        for why in self.0.get(&test.to_string()).into_iter().flatten() {
            let place = format!("{}:{}", why.position.file, why.position.line);
            let case = if why.case.is_empty() { String::new() } else { format!("{}: ", why.case.join("/")) };
            let what = if why.is_value { "the value is not true" } else { "this did not hold" };
            let _ = writeln!(out, "{}{}: {what}", printable(&case), printable(&place));
            let number = why.position.line.to_string();
            let gutter = " ".repeat(number.len());
            let before = usize::try_from(why.position.column).unwrap_or(1).saturating_sub(1);
            let (indent, shown): (String, String) = (why.line.chars().take(before).collect(), why.line.clone());
            // The caret stands where the text does, whatever a tab is.
            let indent: String = indent.chars().map(|one| if one == '\t' { '\t' } else { ' ' }).collect();
            let carets = "^".repeat(why.text.lines().next().unwrap_or_default().chars().count().max(1));
            let _ = writeln!(out, "{number} | {}", printable(&shown));
            let _ = writeln!(out, "{gutter} | {indent}{}", paint(&carets, "31", colour));
            for value in &why.values {
                let mut seen = value.values.join("; ");
                if value.values.is_empty() {
                    seen.push_str("undefined");
                }
                if value.more > 0 {
                    let _ = write!(seen, "; … and {} more", value.more);
                }
                let text = value.text.split_whitespace().collect::<Vec<_>>().join(" ");
                let _ = writeln!(out, "{gutter} = {}: {}", printable(&text), printable(&seen));
            }
        }
        out
    }

    /// For programs; `None` where nothing is known.
    pub(super) fn json(&self, test: &Test) -> Option<Json> {
        let whys = self.0.get(&test.to_string()).filter(|whys| !whys.is_empty())?;
        let value = |value: &verdict::policy::testing::Value| json!({"text": value.text, "values": value.values, "more": value.more});
        let why = |why: &Why| {
            let position = &why.position;
            json!({
                "case": why.case,
                "location": {"file": &*position.file, "row": position.line, "col": position.column},
                "text": why.text,
                "is_value": why.is_value,
                "values": why.values.iter().map(value).collect::<Vec<_>>(),
            })
        };
        Some(whys.iter().map(why).collect())
    }
}
