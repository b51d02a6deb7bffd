//! Any bytes as `data.yaml`: faults or a snapshot, which is asked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use verdict::{
    decision::{EntryPoint, Query},
    policy::Options,
};

const POLICY: &[u8] = b"package authz\n\nimport rego.v1\n\ndecision := {\"allow\": true, \"context\": {\"said\": data.a}}\n";

fuzz_target!(|bytes: &[u8]| {
    let files = [("authz.rego", POLICY), ("data.yaml", bytes), ("b/c/data.yaml", bytes)];
    let Some(bundle) = verdict_fuzz::bundle(&files) else { return };
    let Some(snapshot) = verdict_fuzz::compile(&bundle, Options::default()) else { return };
    verdict_fuzz::ask(&snapshot, &Query::default(), &EntryPoint::from_parts(["authz".to_owned()]));
});
