//! The comparison as a table, and as JSON.

use std::{fmt::Write as _, num::NonZeroUsize, time::Duration};

use serde_json::{Value as Json, json};

use super::{Fate, KEYS, NAMES, Phase, Turn, spread::Spread};
use crate::cli::bench::report;

type Figure = (&'static str, &'static str, fn(&Turn) -> f64);

const FIGURES: [Figure; 4] = [
    ("requests/s", "requests_per_second", |turn| turn.requests_per_second),
    ("p50", "p50_us", |turn| turn.p50.as_secs_f64() * 1e6),
    ("p99", "p99_us", |turn| turn.p99.as_secs_f64() * 1e6),
    ("server CPU a request", "server_cpu_us_per_request", |turn| {
        turn.cpu.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }),
];

pub(super) fn text(threads: NonZeroUsize, phases: &[Phase; 2], fates: &[Fate]) -> String {
    let mut out = format!(
        "{threads} threads a server; medians, and of the ratios to the first one's in the same round with 95 % confidence.\n\
         The control is a second server without a log: how far it is from 1 is noise.\n"
    );
    for phase in phases {
        let title = phase.plan.rate.map_or(phase.title.clone(), |rate| format!("Check at {rate} requests a second"));
        let title = format!("{title}, {} rounds", phase.rounds.len());
        let _ = write!(out, "\n{title:<52}");
        for name in NAMES {
            let _ = write!(out, "{name:>13}");
        }
        for (name, key, figure) in FIGURES {
            let _ = write!(out, "\n  {name:<50}");
            for server in 0..NAMES.len() {
                let median = phase.figure(server, figure).median;
                let shown = match key {
                    "requests_per_second" => report::whole(median),
                    _ => Duration::try_from_secs_f64(median / 1e6).map_or_else(|_| "-".to_owned(), report::time),
                };
                let _ = write!(out, "{shown:>13}");
            }
            let _ = write!(out, "\n    {:<48}{:>13}", "ratio", "");
            let ratios = || (1..NAMES.len()).map(|server| phase.ratio(server, figure));
            for Spread { median, .. } in ratios() {
                let _ = write!(out, "{median:>13.3}");
            }
            let _ = write!(out, "\n    {:<48}{:>13}", "95 %", "");
            for Spread { low, high, .. } in ratios() {
                let _ = write!(out, "{:>13}", format!("{low:.2}-{high:.2}"));
            }
        }
        out.push('\n');
        let (failed, unsent) = phase.troubles();
        if failed > 0 {
            let _ = writeln!(out, "  warning: {failed} denies because something went wrong; is the machine busy?");
        }
        if unsent > 0 {
            let _ = writeln!(out, "  warning: {unsent} requests were due and never sent: the rate is too high");
        }
    }
    for (name, Fate { offered, delivered, dropped, waiting }) in NAMES.iter().zip(fates).skip(2) {
        let _ = write!(
            out,
            "\n{name}: {offered} decisions, {delivered} records delivered, {dropped} dropped, {waiting} waiting"
        );
    }
    out
}

pub(super) fn json(threads: NonZeroUsize, phases: &[Phase; 2], fates: &[Fate]) -> Json {
    let mut result: serde_json::Map<String, Json> =
        phases.iter().map(|phase| (phase.key.to_owned(), of_phase(phase))).collect();
    for (key, Fate { offered, delivered, dropped, waiting }) in KEYS.iter().zip(fates).skip(2) {
        let fate = json!({ "offered": offered, "delivered": delivered, "dropped": dropped, "waiting": waiting });
        result.insert((*key).to_owned(), fate);
    }
    result.insert("server_threads".to_owned(), threads.get().into());
    Json::Object(result)
}

fn of_phase(phase: &Phase) -> Json {
    let round = |figure: f64| (figure * 1e3).round() / 1e3;
    let mut members = serde_json::Map::new();
    for (_, key, figure) in FIGURES {
        let mut row = serde_json::Map::new();
        for (server, name) in KEYS.into_iter().enumerate() {
            row.insert(name.to_owned(), round(phase.figure(server, figure).median).into());
            if server > 0 {
                let Spread { median, low, high } = phase.ratio(server, figure);
                row.insert(format!("{name}_ratio"), round(median).into());
                row.insert(format!("{name}_ratio_95"), json!([round(low), round(high)]));
            }
        }
        members.insert(key.to_owned(), row.into());
    }
    let (failed, unsent) = phase.troubles();
    members.insert("failed".to_owned(), failed.into());
    members.insert("unsent".to_owned(), unsent.into());
    members.insert("rate".to_owned(), phase.plan.rate.into());
    members.insert("rounds".to_owned(), phase.rounds.len().into());
    Json::Object(members)
}
