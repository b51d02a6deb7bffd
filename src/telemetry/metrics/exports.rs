//! Telemetry that is pushed.

use super::{
    ExportFigures,
    family::{Families, Kind},
};

/// All signals.
pub(super) fn measure(signals: &[ExportFigures], out: &mut Families) {
    let help = "Spans, records of the log and values of metrics that the collector took.";
    out.family("verdict_telemetry_items_total", Kind::Counter, help);
    for figures in signals {
        out.sample(&[("signal", figures.signal)], figures.exported);
    }
    let help = "Spans, records of the log and values of metrics that were lost, by cause.";
    out.family("verdict_telemetry_dropped_total", Kind::Counter, help);
    for figures in signals {
        for (cause, count) in figures.dropped {
            out.sample(&[("signal", figures.signal), ("cause", cause)], count);
        }
    }
    out.family("verdict_telemetry_queued", Kind::Gauge, "Spans and records of the log that wait to be sent.");
    for figures in signals {
        out.sample(&[("signal", figures.signal)], figures.queued);
    }
}
