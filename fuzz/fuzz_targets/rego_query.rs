//! Any text as a query on a small policy set: faults or an answer.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use verdict::{
    bundle::Bundle,
    policy::{
        Options,
        adhoc::{self, Input},
    },
};

const POLICY: &[u8] = b"package p\n\nimport rego.v1\n\nx := input.a + 1\n\ny contains n if some n in input.list\n\n\
    f(a, b) := [a, b]\n\nf(a, _) := 3 if a == 2\n\nz[k] := v if some k, v in input\n";
const INPUT: &str = r#"{"a": 1, "list": [1, "two", null, {"three": [4]}]}"#;

fuzz_target!(|text: &str| {
    static BUNDLE: OnceLock<Bundle> = OnceLock::new();
    let bundle = BUNDLE.get_or_init(|| verdict_fuzz::bundle(&[("p.rego", POLICY)]).unwrap_or_default());
    let options = Options { rego_v0: text.len() % 2 == 1, ..Options::default() };
    match adhoc::query(bundle, options, text, Input::Json(INPUT), verdict_fuzz::BUDGET) {
        Ok(answer) => assert!(serde_json::from_str::<serde_json::Value>(&answer.json).is_ok()),
        Err(faults) => verdict_fuzz::shown(&faults),
    }
});
