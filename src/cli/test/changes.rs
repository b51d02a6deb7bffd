//! What differs between one run of tests and the next.

use std::collections::BTreeMap;

use verdict::policy::{
    printable,
    testing::{Outcome, Run, Test},
};

use super::pretty;

/// How each test ended, by its path; of a table also each of its cases.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Ended(BTreeMap<String, Outcome>);

impl Ended {
    pub(super) fn of(runs: &[(Test, Run)]) -> Self {
        let mut ended = BTreeMap::new();
        for (test, run) in runs {
            ended.insert(test.to_string(), run.outcome.clone());
            for case in &run.cases {
                let outcome = if case.passed { Outcome::Pass } else { Outcome::Fail };
                ended.insert(format!("{test}[{}]", case.name()), outcome);
            }
        }
        Self(ended)
    }

    /// A line for each test that ended otherwise, is new or is gone.
    pub(super) fn since(&self, before: &Self, colour: bool) -> Vec<String> {
        let word = |outcome: Option<&Outcome>, without: &str| {
            outcome.map_or_else(|| without.to_owned(), |outcome| pretty::word(outcome, colour))
        };
        let mut names: Vec<&String> = self.0.keys().chain(before.0.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let changed = names.into_iter().filter_map(|name| {
            let (was, is) = (before.0.get(name), self.0.get(name));
            let kind = |outcome: Option<&Outcome>| outcome.map(std::mem::discriminant);
            let line = || format!("{}: {} -> {}", printable(name), word(was, "new"), word(is, "gone"));
            (kind(was) != kind(is)).then(line)
        });
        changed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_ended_otherwise_came_and_went() {
        let ended = |list: &[(&str, Outcome)]| {
            Ended(list.iter().map(|(name, how)| ((*name).to_owned(), how.clone())).collect())
        };
        let error = |text: &str| Outcome::Error(text.to_owned());
        let before = ended(&[("a", Outcome::Pass), ("b", Outcome::Fail), ("c", error("one")), ("d", Outcome::Skip)]);
        let after = ended(&[("a", Outcome::Fail), ("b", Outcome::Fail), ("c", error("two")), ("e", Outcome::Pass)]);
        assert_eq!(after.since(&before, false), ["a: PASS -> FAIL", "d: SKIPPED -> gone", "e: new -> PASS"]);
        assert!(after.since(&after, false).is_empty());
    }
}
