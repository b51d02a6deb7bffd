//! What passed, what failed, and what was known to.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;

/// Everything about a run.
pub(crate) struct Report<'a> {
    topics: BTreeMap<&'a str, (usize, usize)>,
    failed: Vec<(&'a str, &'a str, String)>,
    listed: Vec<(&'a str, &'a str)>,
    passes_though_listed: Vec<&'a str>,
}

impl<'a> Report<'a> {
    /// `list` has a line `NOTE<TAB>REASON` for each unsupported case; lines that begin with `#` are comments.
    pub(crate) fn new(cases: &'a [(String, Case)], outcomes: Vec<Option<String>>, list: &'a str) -> Self {
        let listed: BTreeMap<&str, &str> = list
            .lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
            .map(|line| line.split_once('\t').unwrap_or_else(|| panic!("unsupported.txt: no reason in `{line}`")))
            .collect();
        let mut report =
            Self { topics: BTreeMap::new(), failed: Vec::new(), listed: Vec::new(), passes_though_listed: Vec::new() };
        let mut failing = BTreeSet::new();
        for ((topic, case), fault) in cases.iter().zip(outcomes) {
            let (passed, total) = report.topics.entry(topic).or_default();
            *total += 1;
            *passed += usize::from(fault.is_none());
            let Some(fault) = fault else { continue };
            failing.insert(case.note.as_str());
            match listed.get(case.note.as_str()) {
                Some(reason) => report.listed.push((&case.note, reason)),
                None => report.failed.push((topic, &case.note, fault)),
            }
        }
        let run: BTreeSet<&str> = cases.iter().map(|(_, case)| case.note.as_str()).collect();
        report.passes_though_listed =
            listed.into_keys().filter(|note| run.contains(note) && !failing.contains(note)).collect();
        report
    }

    pub(crate) fn print(&self, topics_in_full: bool) {
        let (mut passed, mut total) = (0, 0);
        for (topic, (good, all)) in &self.topics {
            passed += good;
            total += all;
            if topics_in_full || good < all {
                println!("{topic:40} {good:5}/{all}");
            }
        }
        for (note, reason) in &self.listed {
            println!("unsupported: {note}: {reason}");
        }
        for (topic, note, fault) in &self.failed {
            println!("FAILED {topic}: {note}\n    {}", fault.chars().take(600).collect::<String>());
        }
        for note in &self.passes_though_listed {
            println!("passes, but is listed in tests/conformance/unsupported.txt: {note}");
        }
        let share =
            f64::from(u32::try_from(passed).unwrap_or(0)) * 100.0 / f64::from(u32::try_from(total.max(1)).unwrap_or(1));
        println!("conformance: {passed}/{total} passed ({share:.2} %)");
    }

    pub(crate) fn holds(&self) -> bool {
        self.failed.is_empty() && self.passes_though_listed.is_empty()
    }
}
