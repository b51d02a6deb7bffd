//! Holds the table *Who may import whom* of `ARCHITECTURE.md` to the code.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test says what is wrong by failing"
)]

use std::{collections::BTreeMap, fs, path::Path};

/// The table, as `ARCHITECTURE.md` has it: `name, name -> name, name` in its one `text` block after the heading.
fn table() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let (_, section) = text.split_once("## Who may import whom").expect("the heading");
    let (_, block) = section.split_once("```text\n").expect("the block");
    let (block, _) = block.split_once("```").expect("its end");
    let mut table = BTreeMap::new();
    for line in block.lines() {
        let (from, to) = line.split_once("->").unwrap_or_else(|| panic!("no arrow in `{line}`"));
        let names = |list: &str| -> Vec<String> {
            list.split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty() && name != "nothing")
                .collect()
        };
        for name in names(from) {
            table.insert(name, names(to));
        }
    }
    table
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The part of a file that is not its unit tests.
fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]").map_or(text, |(code, _)| code)
}

/// Each first name after `crate::` in `use crate::{…}` and in paths.
fn imports(text: &str) -> Vec<String> {
    let name = |rest: &str| -> String { rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c == '$' || c.is_alphanumeric()) {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(name(rest));
            continue;
        };
        let mut depth = 1;
        let mut start = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                c if start && c.is_alphabetic() => {
                    found.push(name(&group[at..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn dependencies_point_one_way() {
    let table = table();
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (path, text) in &files {
        let component = path.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        if ["lib", "main", "cli"].contains(&component.as_str())
            || path.ends_with("tests.rs")
            || path.contains("/tests/")
        {
            continue;
        }
        let may =
            table.get(&component).unwrap_or_else(|| panic!("`{component}` is not in the table of ARCHITECTURE.md"));
        for import in imports(without_tests(text)) {
            checked += 1;
            if import != component && !may.contains(&import) {
                wrong.push(format!("{path} imports crate::{import}"));
            }
        }
    }
    assert!(checked > 30, "the test finds imports at all: {checked}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn wire_and_engine_types_stay_in_their_components() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    for (path, text) in &files {
        let text = without_tests(text);
        let only = |word: &str, homes: &[&str]| {
            assert!(!text.contains(word) || homes.iter().any(|home| path.starts_with(home)), "{path} uses {word}");
        };
        only("regorus::", &["src/policy"]);
        // What goes to a collector is spoken of where it is sent.
        only(
            "tonic::",
            &[
                "src/api",
                "src/cli",
                "src/client",
                "src/otlp",
                "src/telemetry/export",
                "src/audit/sink/otlp",
                "src/workload",
            ],
        );
        only("prost::", &["src/api", "src/cli", "src/client", "src/workload"]);
    }
}

#[test]
fn every_reason_of_a_call_error_is_documented() {
    let documented = fs::read_to_string("docs/errors.md").unwrap();
    for reason in verdict::api::status::CallError::REASONS {
        assert!(documented.contains(&format!("| `{reason}` |")), "{reason}");
    }
}
