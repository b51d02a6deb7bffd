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

#[test]
fn shows_every_member_of_a_bundle_but_what_could_be_a_secret() {
    let yaml = "bundles:
  by-hand: {}
  web:
    url: https://example.com/authz.tar.gz
    polling: {min: 1s, max: 2s}
    long_poll: 30s
    token_file: /run/token
    tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem}
    header_files: {x-key: /run/key}
    limits: {size: 5MiB, timeout: 7s, idle_timeout: 6s, connect_timeout: 5s}
    back_off: {min: 3s, max: 4m}
    verification: {key_file: key.pem, algorithm: RS256, scope: s, exclude: [a.rego, '**/b']}
    stale_after: 5m
    min_sequence: 7
  shop:
    url: s3://bucket/key
    object: {region: eu, access_key_id_file: /run/id, secret_access_key_file: /run/secret}
  near:
    url: http://example.com/a.tar.gz
    plain_http: true
    basic: {user: me, password_file: /run/password}
  oauth:
    url: https://example.com/b.tar.gz
    oauth2: {token_url: 'https://example.com/token', client_id: id, client_secret_file: /run/s, scopes: [a, b]}
";
    let described = Given::yaml(yaml).described();
    assert_eq!(Given::yaml(&described).described(), described);
    for text in yaml.lines().skip(1).flat_map(|line| line.split([' ', '{', '}', ',', '[', ']', '\''])) {
        // A name may be in quotes.
        assert!(described.contains(text.trim_end_matches(':')), "{text}\n{described}");
    }
    let secretive = "bundles:
  web:
    url: https://me:hunter2@example.com/a?sig=hunter2
    headers: {x-tenant: hunter2}
  oauth:
    url: https://example.com/b.tar.gz
    oauth2: {token_url: 'https://example.com/token', client_id: id, client_secret_file: f, parameters: {audience: hunter2}}
";
    let described = Given::yaml(&secretive.replace("me:hunter2@", "").replace("?sig=hunter2", "")).described();
    assert!(described.contains("x-tenant") && described.contains("audience"), "{described}");
    assert!(!described.contains("hunter2"), "{described}");
    assert!(Given::yaml(secretive).faults().iter().all(|fault| !fault.contains("hunter2")));
}

#[test]
fn shows_which_records_a_sink_wants_and_what_it_hides() {
    let yaml = "decision_log:
  sinks:
    all: {type: stdout}
    some:
      type: stdout
      filter: {effects: [deny], doors: [grpc], entry_points: [data.a], sample_allows: 5%, sample_denies: 0.25%}
      mask: {names: [iban], policies: false}
";
    let described = Given::yaml(yaml).described();
    let filter = "filter: {effects: [\"deny\"], doors: [\"grpc\"], entry_points: [\"data.a\"], sample_allows: 5.00%, \
                  sample_denies: 0.25%}\n";
    assert!(described.contains(filter) && described.matches("filter").count() == 1, "{described}");
    assert!(described.contains("iban") && described.contains("policies are not asked"), "{described}");
    let again = Given::yaml(&described).load().unwrap();
    assert_eq!(again.decision_log.sinks["some"].filter.sample_denies, Some(25));
}

#[test]
fn candidates_of_searches_are_read_shown_and_faulted() {
    let yaml = "search:
  page_size: 7
  candidates:
    data.a.b:
      subjects: {user: data.users, \"a b\": 'data.x[\"y z\"]'}
      resources: data.docs
    data.a: {actions: data.verbs}
";
    let toml = "[search]\npage_size = 7\n[search.candidates.\"data.a.b\"]\nresources = \"data.docs\"\n\
                [search.candidates.\"data.a.b\".subjects]\nuser = \"data.users\"\n\"a b\" = 'data.x[\"y z\"]'\n\
                [search.candidates.\"data.a\"]\nactions = \"data.verbs\"\n";
    let described = Given::yaml(yaml).described();
    assert_eq!(Given::file("verdict.toml", toml).described(), described);
    assert_eq!(Given::yaml(&described).described(), described);
    assert!(described.contains("    \"data.a\":\n      actions: \"data.verbs\"\n"), "{described}");
    let faults = Given::yaml(
        "search:
  candidates:
    users: {subjects: data.users}
    data.a: 7
    data.b: {subject: data.x, subjects: users, resources: {t: 7}, actions: {t: data.x}}
    data.c: {subjects: data.x}
    'data[\"c\"]': {subjects: data.y}
",
    )
    .faults();
    let starts = [
        "verdict.yaml: search.candidates.users: is no reference; expected the rule or package",
        "verdict.yaml: search.candidates.data.a: is no table; expected a table",
        "verdict.yaml: search.candidates.data.b.subject: unknown key; expected one of `subjects`",
        "verdict.yaml: search.candidates.data.b.subjects: `users` is no reference; expected a reference",
        "verdict.yaml: search.candidates.data.b.resources.t: is of the wrong type; expected a reference",
        "verdict.yaml: search.candidates.data.b.actions: is of the wrong type; expected a reference",
        "verdict.yaml: search.candidates.data[\"c\"]: is given more than once",
    ];
    for start in starts {
        assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}\n{faults:#?}");
    }
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    assert_eq!(Given::yaml("search: {candidates: 7}").faults().len(), 1);
}
