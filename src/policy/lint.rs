//! The static gate over the author's own text: what OPA rejects, what Verdict must never evaluate, and what deserves a
//! second look.
//!
//! `gate` looks at what regorus will see; this looks at what was written.

mod calls;
pub(super) mod capabilities;
mod conflicts;
mod constant;
mod declared;
mod differs;
mod features;
mod finding;
mod graph;
mod names;
mod open;
mod recursion;
mod reserved;
mod safety;
mod suggest;
mod types;
mod unused;

use std::collections::BTreeMap;

use self::{capabilities::Capabilities, finding::Finding, graph::Graph, names::Source};
use super::{
    fault::{Fault, Severity},
    text::Texts,
};

/// Everything that the checks look at.
struct World<'s, 'a> {
    sources: &'s [Source<'a>],
    graph: &'s Graph,
    functions: BTreeMap<Vec<String>, usize>,
    capabilities: Capabilities,
    /// The paths below `data` that will be asked; empty where that is not said.
    entries: &'s [Vec<String>],
}

/// Every fault, and every warning, of the policy set.
/// Of the files that `reads` takes: what is a consequence of another file's syntax is nothing to tell.
pub(super) fn check(
    texts: &Texts,
    reads: &dyn Fn(&str) -> bool,
    capabilities: Capabilities,
    entries: &[Vec<String>],
) -> (Vec<Fault>, Vec<Fault>) {
    let mut sources = names::sources(texts);
    sources.retain(|source| reads(source.file));
    let graph = Graph::new(&sources);
    let functions = calls::functions(&sources);
    let world = World { sources: &sources, graph: &graph, functions, capabilities, entries };
    let mut found: Vec<Finding<'_>> = Vec::new();
    recursion::check(&graph, &sources, &mut found);
    if found.is_empty() {
        recursion::mixed(&sources, &mut found);
    }
    conflicts::check(&sources, &mut found);
    features::check(&world, &mut found);
    differs::check(&world, &mut found);
    calls::check(&world, &mut found);
    safety::check(&world, &mut found);
    for source in &sources {
        reserved::check(source, &mut found);
        unused::imports(source, &mut found);
        unused::variables(source, &mut found);
        constant::check(source, &mut found);
        declared::check(source, &mut found);
    }
    unused::rules(&world, &mut found);
    open::check(&sources, &mut found);
    open::unheard(&world, &mut found);
    let (warnings, faults) = found.into_iter().partition(|finding| finding.severity() == Severity::Warning);
    (finding::told(faults), finding::told(warnings))
}

#[cfg(test)]
mod documentation;
#[cfg(test)]
mod tests;
