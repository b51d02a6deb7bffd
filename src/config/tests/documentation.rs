//! The table of keys, what is shown of them, and `docs/configuration.md` are one.

use super::*;
use crate::config::{key::KEYS, show::Shown};

const PAGE: &str = include_str!("../../../docs/configuration.md");

/// The page's code blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("\n```{language}\n");
    PAGE.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

fn names() -> Vec<&'static str> {
    KEYS.iter().map(|key| key.name).collect()
}

#[test]
fn every_key_is_shown_and_every_shown_key_is_one() {
    let shown: Vec<_> = show::values(&Config::default()).iter().map(|(name, _)| *name).collect();
    assert_eq!(shown, names());
}

#[test]
fn every_key_is_on_the_page_with_its_variable_default_and_bounds() {
    for (name, value) in show::values(&Config::default()) {
        let key = key::find(name).unwrap();
        let default = match value {
            Shown::Plain(text) | Shown::Text(text) => format!("`{text}`"),
            Shown::Unset(meaning) => meaning.to_owned(),
        };
        let start = format!(
            "\n#### `{name}`\n\n- Variable: `{}`\n- Default: {default}\n- Takes: {}\n- Meaning: ",
            key.variable(),
            key.shape.expected()
        );
        assert!(PAGE.contains(&start), "docs/configuration.md should have this:\n{start}");
    }
}

#[test]
fn every_heading_on_the_page_is_a_key_in_the_tables_order() {
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix("#### `")?.strip_suffix('`'));
    assert_eq!(headings.collect::<Vec<_>>(), names());
    assert_eq!(PAGE.matches("\n- Security: ").count(), KEYS.len(), "each says what changing it costs");
}

#[test]
fn the_examples_on_the_page_are_valid_and_equal() {
    let [yaml] = blocks("yaml")[..] else { panic!("one YAML example") };
    let [toml] = blocks("toml")[..] else { panic!("one TOML example") };
    assert_eq!(Given::yaml(yaml).described(), Given::file("verdict.toml", toml).described());
    assert_ne!(Given::yaml(yaml).described(), Config::default().describe());
}

#[test]
fn the_faults_on_the_page_are_told_in_its_words() {
    let [faults] = blocks("text")[..] else { panic!("one example of faults") };
    let given = Given::yaml("grpc: {adress: 1}").variable("VERDICT_GRPC_MAX_BATCH_ITEMS", "0").flag(
        "policies.evaluation_budget",
        "--evaluation-budget",
        "1h",
    );
    assert_eq!(given.faults().join("\n"), faults);
}

#[test]
fn no_variable_looks_like_a_kubernetes_service_link() {
    for key in &KEYS {
        let variable = key.variable();
        assert!(!variable.contains("_SERVICE_") && !variable.contains("_PORT"), "{variable}");
        assert_eq!(KEYS.iter().filter(|other| other.variable() == variable).count(), 1, "{variable} is one key's");
    }
}
