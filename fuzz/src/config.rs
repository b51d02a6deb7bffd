//! Bytes as the file of the configuration, in YAML or in TOML, and as variables. The first one chooses.

use std::{ffi::OsString, fs};

use verdict::config::{self, Flags};

use super::{chosen, server};

/// A configuration that can be described, and is the same when its description is read; or faults that can be shown.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let ending = if choice % 3 == 1 { "toml" } else { "yaml" };
    let thread = std::thread::current().id();
    let path = server::folder().join(format!("fuzzed-{thread:?}.{ending}"));
    let (file, variables) = if choice % 3 == 2 { (None, variables(rest)) } else { (Some(path.clone()), Vec::new()) };
    if file.is_some() {
        fs::write(&path, rest).unwrap();
    }
    match config::load(&Flags { file, values: Vec::new() }, variables.into_iter()) {
        Ok(config) => {
            assert!(!config.describe().is_empty());
            assert!(config.public().is_object());
        }
        Err(faults) => assert!(!faults.to_string().is_empty()),
    }
}

/// A line a variable.
fn variables(text: &[u8]) -> Vec<(OsString, OsString)> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (format!("VERDICT_{name}").into(), value.into())).collect()
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let yaml = "grpc:\n  address: 0.0.0.0:9191\n  max_message_bytes: 4MiB\npolicies: {path: p, evaluation_budget: 20ms}\nlog: {level: 'info,verdict::reload=debug', format: json}\nserver: {drain_timeout: 30s}\n";
    let bundles = "bundles:\n  store: /var/lib/verdict\n  authz:\n    url: https://bundles.example.com/authz.tar.gz\n    token_file: /run/secrets/token\n    polling: {min: 10s, max: 30s}\n    verification: {key_file: /k.pem, algorithm: RS256, key_id: release}\n  data: {url: 's3://policies/data.tar.gz', object: {region: eu-central-1}, min_sequence: 400}\n";
    let tables = "identity:\n  issuers:\n    main: {issuer: 'https://issuer.example', jwks_file: k.json, algorithms: [ES256], audience: [api], subject: {id: [sub], properties: {roles: /realm/roles}}}\nrevocation: {store: r}\nssf:\n  push: true\n  transmitters:\n    login: {issuer: 'https://issuer.example', audience: a, jwks_file: k, poll: {url: 'https://x.example/poll', interval: 5s}}\ndecision_log:\n  sinks:\n    out: {type: stdout}\nsearch:\n  candidates: {subject: {user: data.users}}\n";
    let toml = "[grpc]\naddress = \"unix:/run/verdict.sock\"\nmax_batch_items = 5\n\n[explain]\nredact = [\"input.token\", \"x\"]\n\n[bundles.main]\nurl = \"file:///b.tar.gz\"\n";
    vec![
        ("yaml", chosen(0, yaml)),
        ("yaml-bundles", chosen(0, bundles)),
        ("yaml-tables", chosen(0, tables)),
        ("yaml-faults", chosen(0, "grpc: {adress: 1, max_message_bytes: 0}\nlog:\n")),
        ("toml", chosen(1, toml)),
        ("variables", chosen(2, "GRPC_ADDRESS=[::1]:9191\nHTTP_MAX_BODY_BYTES=2MiB\nLOG_LEVEL=warn\nNO_SUCH=1\n")),
    ]
}
