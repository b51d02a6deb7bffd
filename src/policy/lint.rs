//! The static gate over the author's own text: what OPA rejects, and what Verdict must never evaluate.
//!
//! `gate` looks at what regorus will see; this looks at what was written.

mod graph;
mod recursion;

use super::{fault::Fault, text::Texts};

/// Every fault of the policy set.
pub(super) fn check(texts: &Texts) -> Vec<Fault> {
    let graph = graph::Graph::new(texts);
    recursion::check(&graph, texts)
}
