//! Any bytes as a `.rego` file: faults or a snapshot. Rego v0 where the file has an odd length.

#![no_main]

use libfuzzer_sys::fuzz_target;
use verdict::{decision::Query, policy::Options};

fuzz_target!(|bytes: &[u8]| {
    let Some(bundle) = verdict_fuzz::bundle(&[("a.rego", bytes)]) else { return };
    let options = Options { rego_v0: bytes.len() % 2 == 1, ..Options::default() };
    let Some(snapshot) = verdict_fuzz::compile(&bundle, options) else { return };
    for entry in snapshot.entry_points().iter().take(2).filter_map(|entry| entry.parse().ok()) {
        verdict_fuzz::ask(&snapshot, &Query::default(), &entry);
    }
});
