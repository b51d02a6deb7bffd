//! Any bytes as policies and data: faults that can be shown, or a snapshot that answers within its budget.

use std::{sync::OnceLock, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use verdict::{
    bundle::Bundle,
    decision::{Effect, EntryPoint, Evaluator as _, Query, Time, Verdict, code},
    policy::{
        Faults, Options, Snapshot,
        adhoc::{self, Input},
    },
};

/// What an evaluation may take of the processor's time.
pub const BUDGET: Duration = Duration::from_millis(50);

/// What it may take beyond its budget: attempts that lost the processor, one built-in that cannot be interrupted, and
/// a build that counts every branch.
const SLACK: Duration = Duration::from_millis(if cfg!(test) { 9_950 } else { 950 });

const POLICY: &[u8] = b"package p\n\nimport rego.v1\n\nx := input.a + 1\n\ny contains n if some n in input.list\n\n\
    f(a, b) := [a, b]\n\nf(a, _) := 3 if a == 2\n\nz[k] := v if some k, v in input\n";
const INPUT: &str = r#"{"a": 1, "list": [1, "two", null, {"three": [4]}]}"#;
const SAYS_DATA: &[u8] =
    b"package authz\n\nimport rego.v1\n\ndecision := {\"allow\": true, \"context\": {\"said\": data.a}}\n";

/// Bytes as a `.rego` file, v0 where it has an odd length.
pub fn rego_text(bytes: &[u8]) {
    let Some(bundle) = bundle(&[("a.rego", bytes)]) else { return };
    let options = Options { rego_v0: bytes.len() % 2 == 1, ..Options::default() };
    let Some(snapshot) = compile(&bundle, options) else { return };
    for entry in snapshot.entry_points().iter().take(2).filter_map(|entry| entry.parse().ok()) {
        ask(&snapshot, &Query::default(), &entry);
    }
}

/// Text as a query on a small policy set: faults or an answer.
pub fn rego_query(bytes: &[u8]) {
    static BUNDLE: OnceLock<Bundle> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let bundle = BUNDLE.get_or_init(|| bundle(&[("p.rego", POLICY)]).unwrap_or_default());
    let options = Options { rego_v0: text.len() % 2 == 1, ..Options::default() };
    match adhoc::query(bundle, options, text, Input::Json(INPUT), BUDGET) {
        Ok(answer) => assert!(serde_json::from_str::<serde_json::Value>(&answer.json).is_ok()),
        Err(faults) => shown(&faults),
    }
}

/// Bytes as `data.json`: faults or a snapshot, which is asked.
pub fn data_json(bytes: &[u8]) {
    data(&[("authz.rego", SAYS_DATA), ("data.json", bytes), ("b/c/data.json", bytes)]);
}

/// Bytes as `data.yaml`.
pub fn data_yaml(bytes: &[u8]) {
    data(&[("authz.rego", SAYS_DATA), ("data.yaml", bytes), ("b/c/data.yaml", bytes)]);
}

fn data(files: &[(&str, &[u8])]) {
    let Some(bundle) = bundle(files) else { return };
    let Some(snapshot) = compile(&bundle, Options::default()) else { return };
    ask(&snapshot, &Query::default(), &EntryPoint::from_parts(["authz".to_owned()]));
}

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

/// Inputs to begin with; `fuzz/run` takes the policies of the repository, too.
pub fn seeds_of_rego() -> Vec<(&'static str, Vec<u8>)> {
    let policy = "package p\n\nimport rego.v1\n\n# METADATA\n# title: t\ndecision := {\"allow\": true, \"context\": {\"x\": $\"{input.a}\"}} if {\n\tsome k, v in input\n\tevery x in v { x != k }\n\tnot data.q[k]\n}\n\nf(x) := y if y := [z | z := x[_]; z > 1] else := {\"a\"}\n";
    vec![
        ("v1", policy.into()),
        ("v0", b"package p\n\nallow { input.x == 1 }\n\ndeny[msg] { msg := \"no\" }\n".to_vec()),
    ]
}

/// Inputs to begin with.
pub fn seeds_of_queries() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("call", b"x := data.p.f(1, 2); x[0] == 1".to_vec()),
        ("every", b"every x in input.list { x != 7 }".to_vec()),
        ("with", b"data.p.z[k] with input.a as {\"b\": 2}".to_vec()),
        ("walk", b"walk(input, [path, value]); not data.p.x == 3".to_vec()),
    ]
}

/// Inputs to begin with.
pub fn seeds_of_json() -> Vec<(&'static str, Vec<u8>)> {
    vec![("values", br#"{"a": [1e3, -0.5, 12345678901234567890, "\ud83d\ude00", null, true, {"b": {}}]}"#.to_vec())]
}

/// Inputs to begin with.
pub fn seeds_of_yaml() -> Vec<(&'static str, Vec<u8>)> {
    vec![("values", b"a: &x {b: 1, c: [*y, \"\\u00e9\"]}\n<<: *x\n? [1]\n: !!str 0x1f\n".to_vec())]
}
