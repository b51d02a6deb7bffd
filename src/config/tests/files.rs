//! Files: both formats, and all that can be wrong with them before a value is looked at.

use super::*;

const YAML: &str = "
grpc:
  address: 127.0.0.1:1
  max_message_bytes: 65536
  max_response_bytes: 131072
  max_batch_items: 10
  max_stream_in_flight: 11
  max_concurrent_streams: 12
  request_timeout: 250ms
  reflection: false
  tls_cert_file: grpc.crt
  tls_key_file: grpc.key
  tls_client_ca_file: grpc.ca
  tls_client_optional: true
  tls_crl_file: grpc.crl
  tls_min_version: '1.3'
  tls_spiffe: false
http:
  address: unix:/run/ops.sock
  max_body_bytes: 2048
  request_timeout: 2s
  public_url: https://pdp.example.com/a
  credential_at: context.token
  tls_cert_file: http.crt
  tls_key_file: http.key
  tls_client_ca_file: http.ca
  tls_client_optional: true
  tls_crl_file: http.crl
  tls_min_version: '1.3'
  tls_spiffe: false
opa:
  enabled: false
  query: true
  write: true
  credential_at: token
envoy:
  input: question
  policy: data.envoy.other
  dry_run: true
  parse_body: false
  mcp: false
  descriptors: descriptors.pb
  decode_slashes: true
  dot_segments: true
  bearer: true
  decision_id_header: off
  reasons_in_body: true
  subject: header:x-user
  subject_type: service
  resource_type: route
issuance:
  policy: data.tokens
  max_lifetime: 12h
  max_refresh_lifetime: 24h
  max_actor_depth: 2
  agent_max_lifetime: 5m
  agent_scopes: [read, list]
  agent_audience: https://api.example.com
  workload_max_lifetime: 30m
  workload_scopes: none
  workload_audience: [https://api.example.com]
search:
  max_candidates: 13
  page_size: 14
admin:
  address: unix:/run/admin.sock
  max_bundle_bytes: 1048576
  request_timeout: 30s
policies:
  path: policies
  default: data.other
  rego_v0: true
  evaluation_budget: 5ms
  settle: 10ms
  poll_interval: 1m
  strict: true
  retained: 3
  capabilities: capabilities.json
bundles:
  store: store
  tests: require
  start_timeout: 1s
network:
  allow: '*.example.com:8443, 10.0.0.7'
  timeout: 100ms
  max_response_bytes: 65536
  cache_bytes: 0
identity:
  cache_bytes: 4096
callers:
  required: true
  keys_file: keys
  token_audience: [verdict]
  grants_file: grants.yaml
  policy: authz
  rate: 18
spiffe:
  endpoint: unix:///run/spire/agent.sock
  hint: inside
  start_timeout: 7s
explain:
  redact: [input.token, data.keys, password]
log:
  level: warn,verdict::reload=debug
  format: json
telemetry:
  endpoint: http://localhost:4317
  sampling: 5%
  name: pdp
  metrics_interval: 10s
decision_log:
  max_record_bytes: 128KiB
  commit_timeout: 2s
revocation:
  store: revoked.redb
  max_entries: 9
ssf:
  push: true
  replay_window: 1h
  publish_interval: 2s
server:
  drain_timeout: 1s
  worker_threads: 2
  max_in_flight: 19
  max_queued: 20
  max_unfinished_bytes: 2MiB
  max_unsent_bytes: 3MiB
  insecure: true
  max_connections: 15
  max_connections_per_address: 16
  handshake_timeout: 3s
  max_connection_age: 10m
  max_connection_age_grace: 4s
  keepalive_time: 12s
  keepalive_timeout: 13s
";

const TOML: &str = r#"
[grpc]
address = "127.0.0.1:1"
max_message_bytes = 0x1_0000
max_response_bytes = 131072
max_batch_items = 10
max_stream_in_flight = 11
max_concurrent_streams = 12
request_timeout = "250ms"
reflection = false
tls_cert_file = "grpc.crt"
tls_key_file = "grpc.key"
tls_client_ca_file = "grpc.ca"
tls_client_optional = true
tls_crl_file = "grpc.crl"
tls_min_version = "1.3"
tls_spiffe = false
[http]
address = "unix:/run/ops.sock"
max_body_bytes = "2KiB"
request_timeout = "2s"
public_url = "https://pdp.example.com/a"
credential_at = "context.token"
tls_cert_file = "http.crt"
tls_key_file = "http.key"
tls_client_ca_file = "http.ca"
tls_client_optional = true
tls_crl_file = "http.crl"
tls_min_version = "1.3"
tls_spiffe = false
[opa]
enabled = false
query = true
write = true
credential_at = "token"
[envoy]
input = "question"
policy = "data.envoy.other"
dry_run = true
parse_body = false
mcp = false
descriptors = "descriptors.pb"
decode_slashes = true
dot_segments = true
bearer = true
decision_id_header = "off"
reasons_in_body = true
subject = "header:X-User"
subject_type = "service"
resource_type = "route"
[issuance]
policy = "data.tokens"
max_lifetime = "12h"
max_refresh_lifetime = "24h"
max_actor_depth = 2
agent_max_lifetime = "300s"
agent_scopes = "read, list"
agent_audience = ["https://api.example.com"]
workload_max_lifetime = "30m"
workload_scopes = []
workload_audience = "https://api.example.com"
[search]
max_candidates = 13
page_size = 14
[admin]
address = "unix:/run/admin.sock"
max_bundle_bytes = "1MiB"
request_timeout = "30s"
[policies]
path = "policies"
default = "data.other"
rego_v0 = true
evaluation_budget = "5ms"
settle = "10ms"
poll_interval = "60s"
strict = true
retained = 3
capabilities = "capabilities.json"
[bundles]
store = "store"
tests = "require"
start_timeout = "1s"
[network]
allow = "*.example.com:8443, 10.0.0.7"
timeout = "100ms"
max_response_bytes = "64KiB"
cache_bytes = 0

[identity]
cache_bytes = 4096

[callers]
required = true
keys_file = "keys"
token_audience = ["verdict"]
grants_file = "grants.yaml"
policy = "authz"
rate = 18
[spiffe]
endpoint = "unix:///run/spire/agent.sock"
hint = "inside"
start_timeout = "7s"
[explain]
redact = ["input.token", "data.keys", "password"]
[log]
level = "warn,verdict::reload=debug"
format = "json"
[telemetry]
endpoint = "http://localhost:4317"
sampling = "5%"
name = "pdp"
metrics_interval = "10s"
[decision_log]
max_record_bytes = "128KiB"
commit_timeout = "2s"
[revocation]
store = "revoked.redb"
max_entries = 9
[ssf]
push = true
replay_window = "1h"
publish_interval = "2s"
[server]
drain_timeout = "1s"
worker_threads = 2
max_in_flight = 19
max_queued = 20
max_unfinished_bytes = "2MiB"
max_unsent_bytes = "3MiB"
insecure = true
max_connections = 15
max_connections_per_address = 16
handshake_timeout = "3s"
max_connection_age = "10m"
max_connection_age_grace = "4s"
keepalive_time = "12s"
keepalive_timeout = "13s"
"#;

#[test]
fn yaml_and_toml_say_the_same() {
    let described = Given::yaml(YAML).described();
    assert_eq!(Given::file("verdict.toml", TOML).described(), described);
    assert_eq!(Given::file("verdict.yml", YAML).described(), described);
    for (line, default) in described.lines().zip(Config::default().describe().lines()) {
        // With the files that are given here, it would be a fault.
        let is_other = line.ends_with(':') || line == "  tls_spiffe: false";
        assert!(is_other || line != default, "every setting is changed, not so: {line}");
    }
}

#[test]
fn variables_say_the_same_as_a_file() {
    let config = Given::yaml(YAML).load().unwrap();
    let given = show::values(&config).into_iter().fold(Given::nothing(), |given, (name, value)| match value {
        show::Shown::Plain(text) | show::Shown::Text(text) => {
            given.variable(&key::find(name).unwrap().variable(), &text)
        }
        show::Shown::Unset(_) => given,
    });
    assert_eq!(given.described(), config.describe());
}

#[test]
fn an_empty_file_is_all_defaults() {
    for text in ["", "# nothing yet\n", "\u{feff}", "---\n", "grpc:\nlog:\n  # level: debug\n", "{}", "grpc: {}"] {
        assert_eq!(Given::yaml(text).described(), Config::default().describe(), "{text:?}");
    }
    for text in ["", "# nothing yet\n", "\u{feff}", "[grpc]\n[log]\n"] {
        assert_eq!(Given::file("verdict.toml", text).described(), Config::default().describe(), "{text:?}");
    }
}

#[test]
fn refuses_other_extensions() {
    for name in ["verdict.json", "verdict", ".yaml", "verdict.YAML", "verdict.yaml.bak"] {
        assert_eq!(
            Given::file(name, "").faults(),
            [format!("{name}: the format is not known; expected a name that ends in `.yaml`, `.yml` or `.toml`")]
        );
    }
}

#[test]
fn refuses_files_that_cannot_be_read() {
    let mut given = Given::nothing();
    given.flags.file = Some(given.path().join("none.yaml"));
    let fault = given.faults().remove(0);
    assert!(fault.starts_with("none.yaml: cannot be opened: No such file"), "{fault}");

    let mut given = Given::nothing();
    fs::create_dir(given.path().join("folder.toml")).unwrap();
    given.flags.file = Some(given.path().join("folder.toml"));
    let fault = given.faults().remove(0);
    assert!(fault.starts_with("folder.toml: cannot be read: Is a directory"), "{fault}");

    let fault = Given::file("verdict.yaml", b"log: \xff").faults().remove(0);
    assert!(fault.starts_with("verdict.yaml: is not UTF-8 after byte 5"), "{fault}");

    let fault = Given::yaml(&"#".repeat(2 << 20)).faults().remove(0);
    assert!(fault.starts_with("verdict.yaml: is too large"), "{fault}");
}

#[test]
fn says_where_the_syntax_fails() {
    for (text, start) in [
        ("log:\n  level: [info\n", "verdict.yaml:3:1: "),
        ("log:\n\tlevel: info\n", "verdict.yaml:2:1: "),
        ("log: {}\n---\nlog: {}\n", "verdict.yaml: "),
        ("log: *nothing\n", "verdict.yaml:1:6: "),
        ("log: !\"\" {}\n", "verdict.yaml:1:7: did not find expected whitespace or line break, while scanning a tag"),
    ] {
        let faults = Given::yaml(text).faults();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with(start), "{faults:?}");
    }
    let faults = Given::file("verdict.toml", "[log]\nlevel = info\n\n[grpc\nreflection = true\n").faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("verdict.toml:2:9: "), "{faults:?}");
    assert!(faults[1].starts_with("verdict.toml:4:6: "), "{faults:?}");
}

#[test]
fn refuses_files_that_are_meant_to_exhaust_it() {
    let deep = "[".repeat(20_000);
    assert_eq!(Given::yaml(&deep).faults().len(), 1);
    assert!(!Given::file("verdict.toml", format!("a = {deep}")).faults().is_empty());
    let level = |name: usize| format!("a{name}: &a{name} [{}]\n", vec![format!("*a{}", name - 1); 10].join(","));
    let laughs: String = (1..30).map(level).collect();
    assert!(!Given::yaml(&format!("a0: &a0 x\n{laughs}")).faults().is_empty());
}

#[test]
fn refuses_keys_that_are_given_twice() {
    assert_eq!(
        Given::yaml("log: {level: info, level: debug, color: x}\ngrpc: {}\n\"grpc\": {}\n").faults(),
        [
            "verdict.yaml: log.level: is given more than once; expected it once",
            "verdict.yaml: log.color: unknown key; expected one of `log.level`, `log.format`",
            "verdict.yaml: grpc: is given more than once; expected it once",
        ]
    );
    let faults = Given::file("verdict.toml", "[log]\nlevel = \"info\"\nlevel = \"warn\"\n").faults();
    assert_eq!(faults, ["verdict.toml:3:1: duplicate key; expected a file that can be read whole"]);
}

#[test]
fn refuses_unknown_keys_and_says_what_there_is() {
    for (text, fault) in [
        ("gprc: {a: 1, b: 2}", "gprc: unknown key; expected a known key; did you mean `grpc`?"),
        (
            "tls: {}",
            "tls: unknown key; expected one of `grpc`, `http`, `opa`, `envoy`, `issuance`, `search`, `admin`, `policies`, `bundles`, `network`, `identity`, `callers`, `spiffe`, `explain`, `log`, `telemetry`, `decision_log`, `revocation`, `ssf`, `server`",
        ),
        (
            "http: {tls: 1}",
            "http.tls: unknown key; expected one of `http.address`, `http.max_body_bytes`, `http.request_timeout`, `http.public_url`, `http.credential_at`, `http.tls_cert_file`, `http.tls_key_file`, `http.tls_client_ca_file`, `http.tls_client_optional`, `http.tls_crl_file`, `http.tls_min_version`, `http.tls_spiffe`",
        ),
        ("grpc.address: '[::1]:1'", "grpc.address: unknown key; expected tables that are nested: `address` in `grpc`"),
        (
            "log: {level: info}\n<<: {}",
            "<<: unknown key; expected one of `grpc`, `http`, `opa`, `envoy`, `issuance`, `search`, `admin`, `policies`, `bundles`, `network`, `identity`, `callers`, `spiffe`, `explain`, `log`, `telemetry`, `decision_log`, `revocation`, `ssf`, `server`",
        ),
        (
            "1: 2",
            "1: unknown key; expected one of `grpc`, `http`, `opa`, `envoy`, `issuance`, `search`, `admin`, `policies`, `bundles`, `network`, `identity`, `callers`, `spiffe`, `explain`, `log`, `telemetry`, `decision_log`, `revocation`, `ssf`, `server`",
        ),
        (
            "policies: {true: 2}",
            "policies.true: unknown key; expected one of `policies.path`, `policies.default`, \
          `policies.rego_v0`, `policies.evaluation_budget`, `policies.settle`, `policies.poll_interval`, \
          `policies.strict`, `policies.retained`, `policies.capabilities`",
        ),
    ] {
        assert_eq!(Given::yaml(text).faults(), [format!("verdict.yaml: {fault}")]);
    }
}

#[test]
fn refuses_what_is_no_table() {
    for (text, fault) in [
        ("[]", "verdict.yaml: holds a list; expected tables of settings"),
        ("hello", "verdict.yaml: holds the text `hello`; expected tables of settings"),
        ("grpc: 9191", "verdict.yaml: grpc: is the number `9191`; expected a table of settings"),
        ("grpc: !tag {}", "verdict.yaml: grpc: is a value with a tag; expected a table of settings"),
    ] {
        assert_eq!(Given::yaml(text).faults(), [fault]);
    }
}

#[test]
fn certificates_come_from_files_or_from_the_agent() {
    const SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET";
    let on = || Given::yaml("grpc: {tls_spiffe: true, address: '0.0.0.0:1'}");
    assert_eq!(
        on().faults(),
        [
            "spiffe.endpoint (not set, so its default): is not set, and the certificate of a door is to come from there; expected it, like `unix:///run/spire/agent.sock`, or the variable `SPIFFE_ENDPOINT_SOCKET`"
        ]
    );
    let config = on().variable(SOCKET, "unix:/a/b.sock").load().unwrap();
    assert_eq!(config.spiffe.endpoint.unwrap().to_string(), "unix:///a/b.sock");
    let config = on().variable(SOCKET, "unix:/a/b.sock").variable("VERDICT_SPIFFE_ENDPOINT", "unix:///c").load();
    assert_eq!(config.unwrap().spiffe.endpoint.unwrap().to_string(), "unix:///c", "the setting goes before");
    assert_eq!(
        on().variable(SOCKET, "tcp://1.2.3.4:5").faults(),
        [
            "SPIFFE_ENDPOINT_SOCKET: `tcp://1.2.3.4:5` is TCP, over which keys would go in plain text; expected the socket of an agent such as `unix:///run/spire/agent.sock`"
        ]
    );
    // Nobody asks.
    assert!(Given::nothing().variable(SOCKET, "nonsense").load().is_ok());
    for leaf in ["tls_cert_file", "tls_key_file", "tls_client_ca_file", "tls_crl_file"] {
        let both = format!("http: {{tls_spiffe: true, {leaf}: x}}\nspiffe: {{endpoint: 'unix:///c'}}");
        let faults = Given::yaml(&both).faults();
        assert!(faults.len() == 1 && faults[0].contains("stands beside `tls_spiffe`"), "{faults:?}");
    }
}
