//! The decision log's sinks.

use super::family::{Families, Kind};

/// How one sink fares.
#[derive(Clone, Debug)]
pub struct LogFigures {
    /// Its name in the configuration.
    pub sink: String,
    /// Decisions that it was offered.
    pub offered: u64,
    /// Records that it delivered.
    pub delivered: u64,
    /// Records that were lost, by cause.
    pub dropped: Vec<(&'static str, u64)>,
    /// Records that were not wanted.
    pub filtered: u64,
    /// Records without payload.
    pub withheld: u64,
    /// Deliveries that failed.
    pub errors: u64,
    /// Decisions that became denies, or were not answered.
    pub refused: u64,
    /// Records that wait in memory.
    pub queued: u64,
    /// Records that wait on disk.
    pub spooled: u64,
    /// Their bytes.
    pub spooled_bytes: u64,
}

/// All of them; without sinks, what there would be.
pub(super) fn measure(sinks: &[LogFigures], out: &mut Families) {
    let name = "verdict_decision_log_records_total";
    out.family(name, Kind::Counter, "Decisions that a sink was offered, and what became of their records.");
    for figures in sinks {
        let LogFigures { sink, offered, delivered, filtered, .. } = figures;
        for (result, count) in [("offered", offered), ("delivered", delivered), ("filtered", filtered)] {
            out.sample(&[("sink", sink), ("result", result)], *count);
        }
    }
    let name = "verdict_decision_log_dropped_total";
    out.family(name, Kind::Counter, "Records that were lost, by cause.");
    for figures in sinks {
        for (cause, count) in &figures.dropped {
            out.sample(&[("sink", &figures.sink), ("cause", cause)], *count);
        }
    }
    let mut family = |name, kind, help, figure: fn(&LogFigures) -> u64| {
        out.family(name, kind, help);
        for figures in sinks {
            out.sample(&[("sink", &figures.sink)], figure(figures));
        }
    };
    let counter = Kind::Counter;
    family(
        "verdict_decision_log_withheld_total",
        counter,
        "Records without payload, because a mask rule failed.",
        |figures| figures.withheld,
    );
    family("verdict_decision_log_errors_total", counter, "Deliveries, writes and rotations that failed.", |figures| {
        figures.errors
    });
    family(
        "verdict_decision_log_refused_total",
        counter,
        "Decisions that became denies, or were not answered, because they could not be recorded.",
        |figures| figures.refused,
    );
    let gauge = Kind::Gauge;
    family("verdict_decision_log_queued", gauge, "Records that wait in memory.", |figures| figures.queued);
    family("verdict_decision_log_spooled", gauge, "Records that wait on disk.", |figures| figures.spooled);
    family("verdict_decision_log_spooled_bytes", gauge, "Bytes of the records that wait on disk.", |figures| {
        figures.spooled_bytes
    });
}
