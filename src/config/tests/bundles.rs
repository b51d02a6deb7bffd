//! `[bundles.NAME]`.

use super::*;
use crate::config::bundles::SOURCE;

#[test]
fn reads_bundles_from_both_formats() {
    let yaml = "bundles:
  tests: off
  authz:
    url: https://example.com/authz.tar.gz
    polling: {min: 1s, max: 2s}
    verification: {key_file: key.pem, algorithm: RS256, key_id: a}
    stale_after: 5m
    min_sequence: 7
  by-hand: {}
";
    let toml = r#"
[bundles]
tests = "off"
[bundles.authz]
url = "https://example.com/authz.tar.gz"
polling = {min = "1s", max = "2s"}
verification = {key_file = "key.pem", algorithm = "RS256", key_id = "a"}
stale_after = "5m"
min_sequence = 7
[bundles.by-hand]
"#;
    let config = Given::yaml(yaml).load().unwrap();
    assert_eq!(Given::file("verdict.toml", toml).described(), config.describe());
    let bundle = &config.bundles["authz"];
    assert_eq!(bundle.source.as_ref().unwrap().polling.min.0, Duration::from_secs(1));
    assert_eq!((bundle.stale_after, bundle.min_sequence), (Some(Duration::from_secs(300)), Some(7)));
    assert!(config.bundles["by-hand"].source.is_none());
    assert!(
        config.describe().contains("  authz:\n    url: \"https://example.com/authz.tar.gz\"\n"),
        "{}",
        config.describe()
    );
}

#[test]
fn tells_every_fault_of_bundles_at_once() {
    let yaml = "policies: {path: p}
bundles:
  stroe: 1
  Big: {url: 'https://example.com/a'}
  patched-data: {url: 'https://example.com/a'}
  one:
    urll: https://example.com/a
    stale_after: 1
    min_sequence: -1
    polling: {min: 5s, mox: 1s}
    verification: {key_file: k, algorithm: none}
  two: {url: 'gopher://example.com/a'}
  three: {stale_after: 1ms}
  good: {url: 'https://example.com/a'}
";
    let faults = Given::yaml(yaml).faults();
    let starts = [
        "verdict.yaml: bundles.stroe: unknown key; expected a known key; did you mean `bundles.store`?",
        "verdict.yaml: bundles.Big: is no name of a bundle; expected a name of small letters",
        "verdict.yaml: bundles.patched-data: is no name of a bundle",
        "verdict.yaml: bundles.one.min_sequence: is no whole number; expected a whole number such as `400`",
        "verdict.yaml: bundles.one.polling: unknown field `mox`; expected `min` or `max`",
        "verdict.yaml: bundles.one.stale_after: ",
        "verdict.yaml: bundles.one.urll: unknown key; expected a known key; did you mean `url`?",
        "verdict.yaml: bundles.one.verification.algorithm: `none` is no algorithm; expected one of `HS256`",
        "verdict.yaml: bundles.two.url: ",
        "verdict.yaml: bundles.three.stale_after: is out of range",
        "verdict.yaml: policies.path: is given together with `bundles`",
    ];
    for start in starts {
        assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}\n{faults:#?}");
    }
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
}

#[test]
fn the_keys_of_a_source_are_those_that_it_takes_and_are_on_the_page() {
    let page = include_str!("../../../docs/configuration.md");
    let all = crate::source::Spec::new("https://example.com");
    let text = format!("{all:?}");
    for key in SOURCE {
        assert!(text.contains(&format!("{key}: ")), "{key}");
        assert!(page.contains(&format!("`{key}`")), "{key}");
    }
}
