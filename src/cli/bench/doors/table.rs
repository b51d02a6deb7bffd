//! The comparison of doors as a table.

use std::{fmt::Write as _, num::NonZeroUsize, time::Duration};

use super::{Args, Comparison, DOORS};
use crate::cli::bench::{
    compare::{Turn, median},
    report,
};

/// What a row says of the turns: a rate, or a time.
type Figure = (&'static str, fn(&Turn) -> f64, fn(f64) -> String);

const FIGURES: [Figure; 4] = [
    ("requests/s", |turn| turn.requests_per_second, report::whole),
    ("p50", |turn| turn.p50.as_secs_f64(), time),
    ("p99", |turn| turn.p99.as_secs_f64(), time),
    ("server CPU a request", |turn| turn.cpu.map_or(f64::NAN, |time| time.as_secs_f64()), time),
];

pub(super) fn text(args: &Args, threads: NonZeroUsize, comparison: &Comparison) -> String {
    let mut out = format!("{threads} threads of the server, median of {} rounds\n", args.rounds());
    for phase in &comparison.phases {
        let _ = write!(out, "\n{:<40}", phase.title);
        for (_, method) in DOORS {
            let _ = write!(out, "{:>20}", method.describe());
        }
        for (name, _) in DOORS.iter().skip(1) {
            let _ = write!(out, "{:>14}", format!("{name}/grpc"));
        }
        out.push('\n');
        for (name, figure, shown) in FIGURES {
            let medians = phase.medians(figure);
            if medians.iter().any(|median| median.is_nan()) {
                continue;
            }
            let _ = write!(out, "  {name:<38}");
            for median in medians {
                let _ = write!(out, "{:>20}", shown(median));
            }
            for ratio in phase.ratios(figure) {
                let _ = write!(out, "{ratio:>14.2}");
            }
            out.push('\n');
        }
    }
    let _ = writeln!(out, "\nCheck, {} connections x {} in flight", args.connections, args.concurrency);
    for (name, figure, shown) in FIGURES {
        let median = median(comparison.multiplexed.iter().map(figure));
        if !median.is_nan() {
            let _ = writeln!(out, "  {name:<38}{:>20}", shown(median));
        }
    }
    let ratio = comparison.authzen_over_multiplexed();
    let _ = writeln!(out, "  {:<38}{ratio:>20.2}", "authzen's requests/s over these");
    let failed = comparison.failed();
    if failed > 0 {
        let _ = writeln!(out, "\nwarning: {failed} denies because something went wrong; is the machine busy?");
    }
    out.truncate(out.trim_end().len());
    out
}

fn time(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map(report::time).unwrap_or_default()
}
