//! The comparison as a table.

use std::{fmt::Write as _, num::NonZeroUsize, time::Duration};

use super::{Args, Phase, Turn, batch_gain};
use crate::cli::bench::report;

pub(super) fn text(args: &Args, threads: NonZeroUsize, phases: &[Phase; 3]) -> String {
    let mut out = format!("{threads} threads a server, median of {} rounds\n", args.rounds());
    for phase in phases {
        let _ = writeln!(out, "\n{:<44}{:>11}{:>11}{:>11}", phase.title, "null", "real", "real/null");
        let mut rate = |name: &str, figure: fn(&Turn) -> f64| {
            let [null, real, ratio] = phase.compare(figure);
            row(&mut out, name, &report::whole(null), &report::whole(real), ratio);
        };
        rate("requests/s", |turn| turn.requests_per_second);
        if phase.method != super::Method::Check {
            rate("decisions/s", |turn| turn.decisions_per_second);
        }
        let mut time = |name: &str, figure: fn(&Turn) -> Option<Duration>| {
            let seconds = |turn: &Turn| figure(turn).map_or(f64::NAN, |time| time.as_secs_f64());
            let [null, real, ratio] = phase.compare(seconds);
            if let (Ok(null), Ok(real)) = (Duration::try_from_secs_f64(null), Duration::try_from_secs_f64(real)) {
                row(&mut out, name, &report::time(null), &report::time(real), ratio);
            }
        };
        time("p50", |turn| Some(turn.p50));
        time("p99", |turn| Some(turn.p99));
        time("server CPU a request", |turn| turn.cpu);
        let failed = phase.failed();
        if failed > 0 {
            let _ = writeln!(out, "  warning: {failed} denies because something went wrong; is the machine busy?");
        }
    }
    let [null, real] = batch_gain(phases);
    let _ = writeln!(out, "\n{:<44}{null:>11.2}{real:>11.2}", "batched over single decisions/s");
    out.truncate(out.trim_end().len());
    out
}

fn row(out: &mut String, name: &str, null: &str, real: &str, ratio: f64) {
    let _ = writeln!(out, "  {name:<42}{null:>11}{real:>11}{ratio:>11.2}");
}
