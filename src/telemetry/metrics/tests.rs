#![allow(clippy::float_cmp, reason = "counts are whole")]

use std::{collections::BTreeMap, sync::Barrier, thread, time::Instant};

use super::*;

/// The samples, by name and labels as written. Fails on what Prometheus would refuse.
fn parse(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'));
    let mut samples = BTreeMap::new();
    let mut families = Vec::new();
    let mut kind = "";
    let mut helped = "";
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            (helped, _) = help.split_once(' ').unwrap();
            continue;
        }
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, its_kind) = family.split_once(' ').unwrap();
            assert_eq!(name, helped);
            assert!(!families.contains(&name), "{name} is declared twice");
            assert!(matches!(its_kind, "counter" | "gauge" | "histogram"), "{line}");
            assert_eq!(name.ends_with("_total"), its_kind == "counter", "{line}");
            families.push(name);
            kind = its_kind;
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').map_or((series, None), |(name, labels)| (name, Some(labels)));
        let suffix = name.strip_prefix(families.last().unwrap()).unwrap();
        assert!(if kind == "histogram" { ["_bucket", "_sum", "_count"].contains(&suffix) } else { suffix.is_empty() });
        if let Some(labels) = labels {
            assert_labels(labels);
        }
        assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{series} is there twice");
    }
    samples
}

/// `name="value",…}`
fn assert_labels(mut rest: &str) {
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(name.chars().all(|char| char == '_' || char.is_ascii_lowercase()), "{name}");
        let mut escaped = false;
        let end = after.find(|char| {
            let ends = char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            ends
        });
        rest = &after[end.unwrap() + 1..];
        if rest == "}" {
            return;
        }
        rest = rest.strip_prefix(',').unwrap();
    }
}

fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

fn revision(sequence: u64, digest: &str) -> ActiveRevision {
    ActiveRevision { sequence, digest: digest.to_owned(), bytes: 1000, modules: 3, rules: 20 }
}

#[test]
fn renders_what_prometheus_reads_before_anything_happened() {
    let samples = parse(&Metrics::new().render());
    assert_eq!(samples[concat!("verdict_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")], 1.0);
    assert_eq!(samples[r#"verdict_decisions_total{entry_point="unknown",effect="deny"}"#], 0.0);
    for zero in
        ["verdict_ready", "verdict_in_flight", "verdict_active_revision", "verdict_policy_last_reload_successful"]
    {
        assert_eq!(samples[zero], 0.0);
    }
    assert!(!samples.keys().any(|series| series.starts_with("verdict_active_revision_")));
    if cfg!(target_os = "linux") {
        assert!(samples["process_resident_memory_bytes"] > 1e5);
        assert!(samples["process_open_fds"] >= 3.0);
        assert!(samples["process_max_fds"] >= samples["process_open_fds"]);
        assert!(samples["process_threads"] >= 1.0);
        assert!(samples["process_cpu_seconds_total"] >= 0.0);
        assert!(samples["process_start_time_seconds"] > 1.7e9);
    }
}

#[test]
fn puts_a_decision_into_the_buckets_that_hold_it() {
    let metrics = Metrics::new();
    // On a bound, just past one, and past the last.
    for took in [us(5), us(5) + Duration::from_nanos(1), us(2_000_000)] {
        metrics.decision(Some("data.authz"), true, took);
    }
    metrics.decision(Some("data.authz"), false, us(100));
    metrics.decision(None, false, us(1));
    let samples = parse(&metrics.render());
    let bucket = |bound: &str| {
        samples[&format!(r#"verdict_decision_duration_seconds_bucket{{entry_point="data.authz",le="{bound}"}}"#)]
    };
    assert_eq!(["0.000005", "0.00001", "0.00005", "0.0001", "1", "+Inf"].map(bucket), [1.0, 2.0, 2.0, 3.0, 3.0, 4.0]);
    assert_eq!(samples[r#"verdict_decision_duration_seconds_count{entry_point="data.authz"}"#], 4.0);
    assert_eq!(samples[r#"verdict_decision_duration_seconds_sum{entry_point="data.authz"}"#], 2.000_110_001);
    assert_eq!(samples[r#"verdict_decisions_total{entry_point="data.authz",effect="allow"}"#], 3.0);
    assert_eq!(samples[r#"verdict_decisions_total{entry_point="data.authz",effect="deny"}"#], 1.0);
    assert_eq!(samples[r#"verdict_decisions_total{entry_point="unknown",effect="deny"}"#], 1.0);
}

#[test]
fn survives_a_duration_that_no_decision_takes() {
    let metrics = Metrics::new();
    metrics.decision(None, true, Duration::MAX);
    metrics.decision(None, true, Duration::MAX);
    thread::spawn({
        let metrics = metrics.clone();
        move || metrics.decision(None, true, Duration::MAX)
    })
    .join()
    .unwrap();
    assert_eq!(parse(&metrics.render())[r#"verdict_decisions_total{entry_point="unknown",effect="allow"}"#], 3.0);
}

#[test]
fn tells_a_hundred_entry_points_apart_and_no_more() {
    let metrics = Metrics::new();
    for number in 0..250 {
        metrics.decision(Some(&format!("data.p{number}")), true, us(1));
    }
    metrics.decision(Some("data.p7"), true, us(1));
    metrics.decision(Some("other"), true, us(1));
    metrics.decision(Some("unknown"), true, us(1));
    let samples = parse(&metrics.render());
    let of = |entry: &str| samples[&format!(r#"verdict_decisions_total{{entry_point="{entry}",effect="allow"}}"#)];
    let series = samples.keys().filter(|series| series.starts_with("verdict_decisions_total")).count();
    assert_eq!(series, 2 * (MAX_ENTRY_POINTS + 2));
    assert_eq!([of("data.p7"), of("data.p99"), of("other"), of("unknown")], [2.0, 1.0, 151.0, 1.0]);
}

#[test]
fn writes_an_entry_point_that_has_quotes() {
    let metrics = Metrics::new();
    metrics.decision(Some("data.authz[\"v1.2\"]"), true, us(1));
    let samples = parse(&metrics.render());
    assert_eq!(samples[r#"verdict_decisions_total{entry_point="data.authz[\"v1.2\"]",effect="allow"}"#], 1.0);
}

#[test]
fn loses_nothing_when_threads_count_together() {
    const THREADS: u32 = 16;
    const EACH: u32 = 2_000;
    let metrics = Metrics::new();
    let start = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                for number in 0..EACH {
                    // All threads meet each new entry point at once, and the last of them past the limit.
                    metrics.decision(Some(&format!("data.p{}", number % 150)), number % 2 == 0, us(10));
                    metrics.call_error(["TIMEOUT", "INVALID_QUERY"][usize::from(number % 4 == 0)]);
                    drop(metrics.in_flight());
                }
            });
        }
    });
    let samples = parse(&metrics.render());
    let sum = |start: &str, end: &str| -> f64 {
        samples
            .iter()
            .filter(|(series, _)| series.starts_with(start) && series.ends_with(end))
            .map(|(_, value)| value)
            .sum()
    };
    let all = f64::from(THREADS * EACH);
    assert_eq!(sum("verdict_decisions_total", r#"effect="allow"}"#), all / 2.0);
    assert_eq!(sum("verdict_decisions_total", r#"effect="deny"}"#), all / 2.0);
    assert_eq!(sum("verdict_decision_duration_seconds_count", ""), all);
    assert!((sum("verdict_decision_duration_seconds_sum", "") - all * 1e-5).abs() < 1e-9);
    assert_eq!(samples[r#"verdict_call_errors_total{reason="TIMEOUT"}"#], all * 0.75);
    assert_eq!(samples[r#"verdict_call_errors_total{reason="INVALID_QUERY"}"#], all * 0.25);
    assert_eq!(samples["verdict_in_flight"], 0.0);
}

#[test]
fn counts_a_call_until_its_guard_is_dropped_on_any_thread() {
    let metrics = Metrics::new();
    let (here, there) = (metrics.in_flight(), metrics.in_flight());
    assert_eq!(parse(&metrics.render())["verdict_in_flight"], 2.0);
    thread::spawn(|| drop(there)).join().unwrap();
    assert_eq!(parse(&metrics.render())["verdict_in_flight"], 1.0);
    drop(here);
    assert_eq!(parse(&metrics.render())["verdict_in_flight"], 0.0);
}

#[test]
fn keeps_the_last_good_revision_when_a_reload_fails() {
    let metrics = Metrics::new();
    metrics.reloaded(Some(revision(1, "sha256:aa")));
    metrics.reloaded(Some(revision(2, "sha256:bb")));
    metrics.reloaded(None);
    metrics.ready(true);
    let samples = parse(&metrics.render());
    assert_eq!(samples[r#"verdict_reloads_total{result="ok"}"#], 2.0);
    assert_eq!(samples[r#"verdict_reloads_total{result="failed"}"#], 1.0);
    assert_eq!(samples["verdict_policy_last_reload_successful"], 0.0);
    assert_eq!(samples["verdict_active_revision"], 2.0);
    assert_eq!(samples[r#"verdict_active_revision_info{digest="sha256:bb"}"#], 1.0);
    assert_eq!(samples.keys().filter(|series| series.starts_with("verdict_active_revision_info")).count(), 1);
    assert_eq!(["bytes", "modules", "rules"].map(|of| samples[&format!("verdict_snapshot_{of}")]), [1000.0, 3.0, 20.0]);
    assert_eq!(samples["verdict_ready"], 1.0);
    metrics.reloaded(Some(revision(2, "sha256:bb")));
    let later = parse(&metrics.render());
    assert_eq!(later["verdict_policy_last_reload_successful"], 1.0);
    assert!(later["verdict_active_revision_age_seconds"] > samples["verdict_active_revision_age_seconds"]);
}

/// `cargo test --release -- --ignored --nocapture recording_costs`
#[test]
#[ignore = "measures"]
#[allow(clippy::print_stdout, reason = "what it measures is all it does")]
fn recording_costs() {
    const EACH: u32 = 5_000_000;
    let metrics = Metrics::new();
    for threads in [1, 2, 4] {
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for took in 0..EACH {
                        metrics.decision(Some("data.authz.decision"), true, us(took.into()));
                    }
                });
            }
        });
        println!("decision, {threads} threads: {:?} each", started.elapsed() / EACH);
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| (0..EACH).for_each(|_| drop(metrics.in_flight())));
            }
        });
        println!("in_flight, {threads} threads: {:?} each", started.elapsed() / EACH);
    }
    let started = Instant::now();
    println!("render: {} bytes, {:?}", metrics.render().len(), started.elapsed());
}
