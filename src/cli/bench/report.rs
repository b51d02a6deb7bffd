//! A tally, for people and for programs.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value as Json, json};

use super::{Args, load::Plan, questions::Method, tally::Tally};

/// The percentiles that are shown.
const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

/// For people.
pub(super) fn text(tally: &Tally, args: &Args, method: Method, plan: Plan) -> String {
    let mut out = String::new();
    let pace = plan.rate.map_or("closed loop".to_owned(), |rate| format!("open loop at {rate}/s"));
    let _ = writeln!(
        out,
        "{} on {}, {pace}, {} connections x {} in flight, {:?} after {:?} of warm-up\n",
        method.describe(),
        args.server,
        args.connections,
        args.concurrency,
        plan.duration,
        plan.warmup,
    );
    let _ = writeln!(out, "requests   {:>10}/s   {} answered", whole(tally.requests_per_second()), tally.answers);
    let decisions = whole(tally.decisions_per_second());
    let _ = writeln!(out, "decisions  {decisions:>10}/s   {} allow, {} deny", tally.said.allow, tally.said.deny);
    if tally.answers > 0 {
        let _ = write!(out, "latency   ");
        for (name, percent) in PERCENTILES {
            let _ = write!(out, " {name} {} ", time(tally.percentile(percent)));
        }
        let _ = writeln!(out, " max {}", time(tally.max()));
    }
    for (code, (count, first)) in &tally.errors {
        let _ = writeln!(out, "errors     {count} x {code}; the first: {first}");
    }
    let troubles = [
        (tally.said.failed, "denies because something went wrong; the verdict's diagnostics and the log say what"),
        (tally.unanswered, "requests without an answer 5 s after the end"),
        (tally.unsent, "requests were due and never sent: server or client can't keep that rate"),
    ];
    for (count, what) in troubles.into_iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(out, "warning    {count} {what}");
    }
    out.truncate(out.trim_end().len());
    out
}

/// For programs. Times are in microseconds.
pub(super) fn json(tally: &Tally) -> Json {
    let mut latency: serde_json::Map<String, Json> =
        PERCENTILES.iter().map(|(name, percent)| ((*name).to_owned(), micros(tally.percentile(*percent)))).collect();
    latency.insert("max".to_owned(), micros(tally.max()));
    let errors: serde_json::Map<String, Json> =
        tally.errors.iter().map(|(code, (count, _))| (code.clone(), (*count).into())).collect();
    json!({
        "requests": tally.answers,
        "requests_per_second": round(tally.requests_per_second()),
        "decisions_per_second": round(tally.decisions_per_second()),
        "allow": tally.said.allow,
        "deny": tally.said.deny,
        "failed": tally.said.failed,
        "latency_us": latency,
        "errors": errors,
        "unanswered": tally.unanswered,
        "unsent": tally.unsent,
    })
}

/// A time with three or four digits.
pub(super) fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1_000.0 => format!("{micros:.0}us"),
        ..100_000.0 => format!("{:.2}ms", micros / 1e3),
        _ => format!("{:.0}ms", micros / 1e3),
    }
}

/// A time as JSON, in microseconds.
pub(super) fn micros(time: Duration) -> Json {
    round(time.as_secs_f64() * 1e6)
}

/// With one decimal.
pub(super) fn round(number: f64) -> Json {
    json!((number * 10.0).round() / 10.0)
}

/// A whole number.
pub(super) fn whole(number: f64) -> String {
    format!("{number:.0}")
}
