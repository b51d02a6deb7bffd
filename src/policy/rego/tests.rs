//! The parser over whole files: those of this repository and, where there are any, the conformance suite's.

use std::{fs, path::Path};

use super::parser::{parse, parse_bare};

mod robust;

/// Texts and whether each is v1.
pub(super) fn corpus() -> Vec<(String, String, bool)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    let mut folders = vec![root.join("policies")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rego") {
                texts.push((path.display().to_string(), fs::read_to_string(path).unwrap(), true));
            }
        }
    }
    for entry in fs::read_dir(root.join("../shared/conformance/opa")).into_iter().flatten().flatten() {
        let topic: serde_json::Value = serde_json::from_str(&fs::read_to_string(entry.path()).unwrap()).unwrap();
        for case in topic["cases"].as_array().unwrap() {
            for module in case["modules"].as_array().into_iter().flatten() {
                let name = format!("{}: {}", entry.path().display(), case["note"]);
                texts.push((name, module.as_str().unwrap().to_owned(), true));
            }
        }
    }
    texts
}

#[test]
fn reads_every_policy_there_is() {
    let mut refused = 0;
    for (name, text, v1) in corpus() {
        if let Err(faults) = parse(&text, v1) {
            refused += 1;
            println!("{name}: {faults:?}\n{text}\n");
        }
    }
    assert_eq!(refused, 0);
}

/// Texts below a package, a JSON string on each line, that OPA 1.20.2 was asked about.
const TEXTS: [(&str, bool, bool); 4] = [
    (include_str!("tests/accepted.txt"), true, true),
    (include_str!("tests/refused.txt"), true, false),
    (include_str!("tests/accepted_v0.txt"), false, true),
    (include_str!("tests/refused_v0.txt"), false, false),
];

#[test]
fn accepts_and_refuses_as_opa_does() {
    for (texts, v1, accepted) in TEXTS {
        for line in texts.lines() {
            let text: String = serde_json::from_str(line).unwrap();
            let read = parse_bare(&text, v1);
            assert_eq!(read.is_ok(), accepted, "{text}: {:?}", read.err());
        }
    }
}

#[test]
fn every_faulty_statement_has_its_fault() {
    let text = "package p\na := \nb := 1\nc if { d := }\n\n  e := 2\nf := \"x\ng := 1 +\nimport foo\nh { true }\n";
    let lines: Vec<usize> = parse(text, true)
        .unwrap_err()
        .iter()
        .map(|fault| text[..fault.span.range().start].matches('\n').count() + 1)
        .collect();
    assert_eq!(lines, [3, 4, 7, 9, 9, 10]);
}
