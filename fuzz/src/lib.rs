//! What the targets share: policy sets made of bytes, and what must hold of what comes of them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use verdict::{
    bundle::Bundle,
    decision::{Effect, EntryPoint, Evaluator as _, Query, Time, Verdict, code},
    policy::{Faults, Options, Snapshot},
};

/// What an evaluation may take of the processor's time.
pub const BUDGET: Duration = Duration::from_millis(50);

/// What it may take beyond its budget: attempts that lost the processor, one built-in that cannot be interrupted, and
/// a build that counts every branch.
const SLACK: Duration = Duration::from_millis(950);

/// A policy set of these files; `None` where one is not UTF-8.
pub fn bundle(files: &[(&str, &[u8])]) -> Option<Bundle> {
    Bundle::from_files(files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))).ok()
}

/// Compiles it: a snapshot, or faults that can be shown.
pub fn compile(bundle: &Bundle, options: Options) -> Option<Snapshot> {
    Snapshot::compile(bundle, 1, options).map_err(|faults| shown(&faults)).ok()
}

/// Faults are there, each says something and can be drawn, and none is a defect of ours.
pub fn shown(Faults(faults): &Faults) {
    assert!(!faults.is_empty(), "refused without a fault");
    for fault in faults {
        assert!(!fault.cause.is_empty(), "{fault:?}");
        assert_ne!(fault.code, "internal_error", "{fault:?}");
        assert!(!fault.render(false).is_empty());
    }
}

/// Asks, and holds the answer to what is promised: within the budget, and a deny says why.
pub fn ask(snapshot: &Snapshot, query: &Query, entry: &EntryPoint) -> Verdict {
    let time = Time { budget: BUDGET, patience: Duration::from_secs(5) };
    let before = thread_time();
    let verdict = snapshot.evaluate(query, entry, time);
    let used = thread_time().saturating_sub(before);
    assert!(used < BUDGET + SLACK, "{used:?} of the processor's time for {entry}: {verdict:?}");
    if verdict.effect == Effect::Deny {
        assert!(!verdict.reasons.is_empty(), "a deny without a reason");
    }
    let defect = verdict.reasons.iter().any(|reason| reason.code == code::INTERNAL_ERROR);
    assert!(!defect, "{verdict:?}");
    verdict
}

fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
