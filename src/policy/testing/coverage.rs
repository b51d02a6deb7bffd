//! Which lines of the policies their tests reach.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref};

use crate::{
    bundle::Bundle,
    policy::syntax::{self, Node},
};

/// The lines that tests reached, of each policy file; files of tests are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By path, in order.
    pub files: BTreeMap<String, FileCoverage>,
}

/// The lines of one file that have something to evaluate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCoverage {
    /// Those that were evaluated.
    pub covered: BTreeSet<u32>,
    /// Those that were not.
    pub not_covered: BTreeSet<u32>,
    measured: bool,
    /// Line of a call, and of its first argument: regorus notes no evaluation of a call that is a whole statement.
    calls: BTreeSet<(u32, u32)>,
}

impl Coverage {
    /// Nothing of these modules reached yet.
    pub(super) fn of(modules: &[Ref<Module>], bundle: &Bundle) -> Self {
        let served: BTreeSet<&str> = bundle.modules.iter().map(|module| module.path.as_str()).collect();
        let mut files = BTreeMap::new();
        for module in modules {
            let path = module.package.refr.span().source.file();
            if served.contains(path.as_str()) {
                files.insert(path.clone(), FileCoverage::of(module));
            }
        }
        Self { files }
    }

    /// Adds what one evaluation reached. Of files that it did not come to, a report says nothing at all.
    pub(super) fn add(&mut self, report: &regorus::coverage::Report) {
        for reported in &report.files {
            let Some(file) = self.files.get_mut(&reported.path) else { continue };
            if !file.measured {
                // regorus knows better than this module what it evaluates.
                file.measured = true;
                file.not_covered = reported.not_covered.union(&reported.covered).copied().collect();
            }
            file.covered.extend(&reported.covered);
            let called =
                file.calls.iter().filter(|(_, argument)| file.covered.contains(argument)).map(|(call, _)| *call);
            let called: Vec<u32> = called.collect();
            file.covered.extend(called);
            file.not_covered.retain(|line| !file.covered.contains(line));
        }
    }

    /// Covered lines of a hundred, of all files; 100 where there is nothing to cover.
    #[must_use]
    pub fn percent(&self) -> f64 {
        let (covered, all) =
            self.files.values().fold((0, 0), |(covered, all), file| (covered + file.covered.len(), all + file.lines()));
        percent(covered, all)
    }
}

impl FileCoverage {
    /// Nothing of a module reached yet.
    fn of(module: &Module) -> Self {
        let mut file = Self::default();
        for rule in &module.policy {
            let result = syntax::walk(rule, &mut |node| {
                let Node::Expr(expr) = node else { return };
                let line = expr.span().line;
                file.not_covered.insert(line);
                if let Expr::Call { params, .. } = expr
                    && let Some(first) = params.first()
                {
                    file.calls.insert((line, first.span().line));
                }
            });
            // What nests too deep has been refused before.
            debug_assert!(result.is_ok(), "{result:?}");
        }
        file
    }

    /// Covered lines of a hundred.
    #[must_use]
    pub fn percent(&self) -> f64 {
        percent(self.covered.len(), self.lines())
    }

    fn lines(&self) -> usize {
        self.covered.len() + self.not_covered.len()
    }
}

#[expect(clippy::cast_precision_loss, reason = "no policy set has 2^53 lines")]
fn percent(covered: usize, all: usize) -> f64 {
    if all == 0 { 100.0 } else { covered as f64 * 100.0 / all as f64 }
}
