//! `docs/lint.md` has every code of the lint, and no other; its examples are said what they are there for.

use std::collections::BTreeSet;

use crate::{
    bundle::Bundle,
    policy::{Options, Snapshot, warnings},
};

const PAGE: &str = include_str!("../../../docs/lint.md");

/// Every text that may say a code: all of the policies' own sources.
const SOURCES: [&str; 14] = [
    include_str!("calls.rs"),
    include_str!("conflicts.rs"),
    include_str!("constant.rs"),
    include_str!("differs.rs"),
    include_str!("features.rs"),
    include_str!("open.rs"),
    include_str!("recursion.rs"),
    include_str!("safety.rs"),
    include_str!("unused.rs"),
    include_str!("../compile.rs"),
    include_str!("../documents.rs"),
    include_str!("../lowering.rs"),
    include_str!("../gate.rs"),
    include_str!("../gate/open.rs"),
];

const ENDS: [&str; 12] = [
    "_error",
    "_var_error",
    "_import",
    "_variable",
    "_rule",
    "_open",
    "_mismatch",
    "_condition",
    "_conflict",
    "_unsupported",
    "_exceeded",
    "_deprecated",
];

fn codes() -> BTreeSet<&'static str> {
    let quoted = SOURCES.iter().flat_map(|source| source.split('"').skip(1).step_by(1));
    quoted
        .filter(|text| {
            ENDS.iter().any(|end| text.ends_with(end))
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        })
        .collect()
}

fn sections() -> Vec<(&'static str, &'static str)> {
    PAGE.split("\n### `").skip(1).filter_map(|section| section.split_once('`')).collect()
}

#[test]
fn every_code_is_documented() {
    let documented: BTreeSet<&str> = sections().into_iter().map(|(code, _)| code).collect();
    for code in codes() {
        assert!(documented.contains(code), "`{code}` is not in docs/lint.md");
    }
}

#[test]
fn every_example_has_its_code() {
    let mut examples = 0;
    for (code, section) in sections() {
        for example in section.split("```rego\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            examples += 1;
            let bundle = Bundle::from_files([("a.rego".to_owned(), example.as_bytes().to_vec())]).unwrap();
            let faults = Snapshot::compile(&bundle, 1, Options::default()).err().map(|faults| faults.0);
            let found: Vec<&str> = faults
                .unwrap_or_default()
                .iter()
                .chain(&warnings(&bundle, Options::default(), &[]))
                .map(|fault| fault.code)
                .collect();
            assert!(found.contains(&code), "the example of `{code}` has {found:?}:\n{example}");
        }
    }
    assert!(examples > 10);
}
