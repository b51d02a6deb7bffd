//! OPA's evaluation suite for Rego v1, case by case: `shared/conformance/README.md` has its form.
//!
//! The cases are where `VERDICT_CONFORMANCE_DIR` says, `../shared/conformance` without it. A case that is not supported
//! is in `unsupported.txt`, with its reason; the test fails when one of these passes, or another fails.
//! `VERDICT_CONFORMANCE_ONLY=jwt,crypto` runs the topics that begin so, and shows what each failure had.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test without the harness, which says to clippy what a test is"
)]

mod case;
mod report;

use std::{
    collections::BTreeMap,
    env, fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use case::Case;

/// Parsers and destructors of nested text recurse.
const STACK: usize = 512 << 20;

fn main() {
    if env::args().any(|argument| argument == "--list") {
        return;
    }
    let folder = env::var_os("VERDICT_CONFORMANCE_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from);
    let Some(topics) = read(&folder.join("opa")) else {
        println!("skipped: no conformance data in {}", folder.display());
        return;
    };
    let only = env::var("VERDICT_CONFORMANCE_ONLY").ok();
    let chosen = |topic: &str| only.as_deref().is_none_or(|only| only.split(',').any(|start| topic.starts_with(start)));
    let cases: Vec<(String, Case)> = topics
        .into_iter()
        .filter(|(topic, _)| chosen(topic))
        .flat_map(|(topic, cases)| cases.into_iter().map(move |case| (topic.clone(), case)))
        .collect();
    let outcomes = run(&cases);
    let report = report::Report::new(&cases, outcomes, include_str!("unsupported.txt"));
    report.print(only.is_some());
    std::process::exit(i32::from(!report.holds()));
}

/// Topic to cases; `None` where there are none.
fn read(folder: &std::path::Path) -> Option<BTreeMap<String, Vec<Case>>> {
    let mut topics = BTreeMap::new();
    for entry in fs::read_dir(folder).ok()? {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let topic = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("the file can be read");
            topics.insert(topic, case::read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        }
    }
    Some(topics).filter(|topics| !topics.is_empty())
}

/// What is wrong with each case, in their order.
fn run(cases: &[(String, Case)]) -> Vec<Option<String>> {
    // Panics are results here; their places would drown the report.
    std::panic::set_hook(Box::new(|_| {}));
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(vec![None; cases.len()]));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            let worker = || {
                while let Some((number, (_, case))) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(number).map(|case| (number, case))
                } {
                    let outcome =
                        std::panic::catch_unwind(|| case.fault()).unwrap_or_else(|_| Some("it panicked".to_owned()));
                    outcomes.lock().expect("no panic holds it")[number] = outcome;
                }
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).expect("a thread");
        }
    });
    drop(std::panic::take_hook());
    outcomes.into_inner().expect("no panic holds it")
}
