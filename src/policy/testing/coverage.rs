//! Which lines and rules of the policies their tests reach, and how often.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref};

use crate::{
    bundle::Bundle,
    policy::syntax::{self, Node},
};

/// What tests reached, of each policy file; files of tests are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By path, in order.
    pub files: BTreeMap<String, FileCoverage>,
}

/// What tests reached of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCoverage {
    /// The author's text.
    pub text: String,
    /// Each line that has something to evaluate, and how many tests evaluated it.
    pub lines: BTreeMap<u32, u64>,
    /// Its rules, in order; each definition of a name is one of its own.
    pub rules: Vec<RuleCoverage>,
    measured: bool,
    /// Line of a call, and of its first argument: regorus notes no evaluation of a call that is a whole statement.
    calls: BTreeSet<(u32, u32)>,
}

/// What tests reached of one definition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCoverage {
    /// `data.authz.allow`; of a later definition of that name in the file with `#01`, `#02` and so on.
    pub name: String,
    /// Its first line.
    pub first: u32,
    /// Its last line.
    pub last: u32,
    /// How many tests evaluated a part of it.
    pub hits: u64,
    /// How many of its lines were evaluated.
    pub covered: usize,
    /// How many lines of it have something to evaluate.
    pub all: usize,
}

/// Some of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// What was reached.
    pub covered: usize,
    /// What there is.
    pub all: usize,
}

impl Coverage {
    /// Nothing of these modules reached yet.
    pub(super) fn of(modules: &[Ref<Module>], bundle: &Bundle) -> Self {
        let served: BTreeMap<&str, &str> =
            bundle.modules.iter().map(|module| (module.path.as_str(), module.text.as_str())).collect();
        let mut files = BTreeMap::new();
        for module in modules {
            let path = module.package.refr.span().source.file();
            if let Some(text) = served.get(path.as_str()) {
                files.insert(path.clone(), FileCoverage::of(module, text));
            }
        }
        Self { files }
    }

    /// Adds what one test reached. Of files that it did not come to, a report says nothing at all.
    pub(super) fn add(&mut self, report: &regorus::coverage::Report) {
        for reported in &report.files {
            if let Some(file) = self.files.get_mut(&reported.path) {
                file.add(reported);
            }
        }
    }

    /// Of the lines of all files.
    #[must_use]
    pub fn lines(&self) -> Share {
        self.files.values().map(FileCoverage::share).sum()
    }

    /// Of the rules of all files: those that a test evaluated at least in part.
    #[must_use]
    pub fn rules(&self) -> Share {
        self.files.values().map(FileCoverage::rules_share).sum()
    }

    /// Covered lines of a hundred, of all files; 100 where there is nothing to cover.
    #[must_use]
    pub fn percent(&self) -> f64 {
        self.lines().percent()
    }
}

impl FileCoverage {
    /// Nothing of a module reached yet.
    fn of(module: &Module, text: &str) -> Self {
        let mut file = Self { text: text.to_owned(), ..Self::default() };
        let package = syntax::package(module);
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for rule in &module.policy {
            let result = syntax::walk(rule, &mut |node| {
                let Node::Expr(expr) = node else { return };
                let line = expr.span().line;
                file.lines.insert(line, 0);
                if let Expr::Call { params, .. } = expr
                    && let Some(first) = params.first()
                {
                    file.calls.insert((line, first.span().line));
                }
            });
            // What nests too deep has been refused before.
            debug_assert!(result.is_ok(), "{result:?}");
            let head: Vec<&str> = syntax::head_reference(rule).span().text().split_whitespace().collect();
            let name = format!("data.{}.{}", package.join("."), head.join(" "));
            let number = known.entry(name.clone()).or_default();
            let numbered = if *number == 0 { name } else { format!("{name}#{number:02}") };
            *number += 1;
            let (_, first, last) = syntax::extent(rule);
            file.rules.push(RuleCoverage { name: numbered, first, last, hits: 0, covered: 0, all: 0 });
        }
        file.rules.sort_by_key(|rule| rule.first);
        file.count();
        file
    }

    fn add(&mut self, reported: &regorus::coverage::File) {
        if !self.measured {
            // regorus knows better than this module what it evaluates.
            self.measured = true;
            self.lines = reported.not_covered.union(&reported.covered).map(|line| (*line, 0)).collect();
        }
        let mut covered = reported.covered.clone();
        covered
            .extend(self.calls.iter().filter(|(_, argument)| reported.covered.contains(argument)).map(|call| call.0));
        for line in &covered {
            *self.lines.entry(*line).or_default() += 1;
        }
        for rule in &mut self.rules {
            rule.hits += u64::from(covered.range(rule.first..=rule.last).next().is_some());
        }
        self.count();
    }

    fn count(&mut self) {
        for rule in &mut self.rules {
            let own = || self.lines.range(rule.first..=rule.last);
            rule.all = own().count();
            rule.covered = own().filter(|(_, hits)| **hits > 0).count();
        }
    }

    /// The lines that a test evaluated.
    #[must_use]
    pub fn covered(&self) -> BTreeSet<u32> {
        self.lines.iter().filter(|(_, hits)| **hits > 0).map(|(line, _)| *line).collect()
    }

    /// The lines that no test evaluated.
    #[must_use]
    pub fn not_covered(&self) -> BTreeSet<u32> {
        self.lines.iter().filter(|(_, hits)| **hits == 0).map(|(line, _)| *line).collect()
    }

    /// Of its lines.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { covered: self.lines.values().filter(|hits| **hits > 0).count(), all: self.lines.len() }
    }

    /// Of its rules: those that a test evaluated at least in part.
    #[must_use]
    pub fn rules_share(&self) -> Share {
        Share { covered: self.rules.iter().filter(|rule| rule.hits > 0).count(), all: self.rules.len() }
    }
}

impl RuleCoverage {
    /// Of its lines.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { covered: self.covered, all: self.all }
    }
}

impl Share {
    /// Of a hundred; 100 where there is nothing to cover.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no policy set has 2^53 lines")]
    pub fn percent(self) -> f64 {
        if self.all == 0 { 100.0 } else { self.covered as f64 * 100.0 / self.all as f64 }
    }
}

impl std::iter::Sum for Share {
    fn sum<I: Iterator<Item = Self>>(shares: I) -> Self {
        shares
            .fold(Self::default(), |one, other| Self { covered: one.covered + other.covered, all: one.all + other.all })
    }
}
