//! Evaluations apart from the others.

use super::family::{Families, Kind};

/// What became of evaluations that did not end at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Isolated {
    /// All of them.
    pub total: u64,
    /// Those whose deadline passed before they ended.
    pub expired: u64,
    /// Those that were turned away.
    pub refused: u64,
    /// Those that wait or run now.
    pub waiting: usize,
    /// Threads that are held by what can't be interrupted.
    pub stuck: usize,
}

impl Isolated {
    pub(super) fn measure(self, out: &mut Families) {
        let name = "verdict_isolated_evaluations_total";
        out.family(name, Kind::Counter, "Evaluations that did not end at once, by what became of them.");
        let Self { total, expired, refused, waiting, stuck } = self;
        let answered = total.saturating_sub(expired).saturating_sub(refused).saturating_sub(waiting as u64);
        for (result, count) in [("answered", answered), ("expired", expired), ("refused", refused)] {
            out.sample(&[("result", result)], count);
        }
        out.gauge("verdict_isolated_waiting", "Evaluations that wait or run apart from the others.", waiting);
        out.gauge("verdict_isolated_stuck_threads", "Threads that are held by what can't be interrupted.", stuck);
    }
}
