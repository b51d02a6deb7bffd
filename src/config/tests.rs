//! Whole configurations, from files on disk; `documentation` holds `docs/configuration.md` to the table of keys.

mod bundles;
mod documentation;
mod files;
mod otel;
mod values;

use std::{ffi::OsString, fs, path::Path};

use super::*;

/// A folder with one configuration file, the variables and the flags of one call of [`load`].
struct Given {
    folder: tempfile::TempDir,
    flags: Flags,
    variables: Vec<(OsString, OsString)>,
}

impl Given {
    fn nothing() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), flags: Flags::default(), variables: Vec::new() }
    }

    fn file(name: &str, text: impl AsRef<[u8]>) -> Self {
        let mut given = Self::nothing();
        let path = given.folder.path().join(name);
        fs::write(&path, text).unwrap();
        given.flags.file = Some(path);
        given
    }

    fn yaml(text: &str) -> Self {
        Self::file("verdict.yaml", text)
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, key: &'static str, flag: &'static str, value: &str) -> Self {
        self.flags.values.push((key, flag, value.to_owned()));
        self
    }

    fn load(self) -> Result<Config, Faults> {
        load(&self.flags, self.variables.into_iter())
    }

    /// The configuration as it is described, or the test's failure.
    fn described(self) -> String {
        self.load().unwrap_or_else(|faults| panic!("{faults}")).describe()
    }

    /// The faults, a line each, without the folder's name.
    fn faults(self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let faults = load(&self.flags, self.variables.into_iter()).expect_err("this is to be refused");
        let lines: Vec<_> = faults.to_string().lines().map(|line| line.replace(&folder, "")).collect();
        assert_eq!(lines.len(), faults.iter().count(), "one line a fault");
        lines
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn is_the_components_defaults_when_nothing_is_given() {
    assert_eq!(Given::nothing().described(), Config::default().describe());
}

#[test]
fn a_variable_goes_over_the_file_and_a_flag_over_both() {
    let given = || Given::yaml("grpc: {max_batch_items: 1, max_stream_in_flight: 1}\nlog: {level: error}\n");
    let config = given()
        .variable("VERDICT_GRPC_MAX_BATCH_ITEMS", "2")
        .variable("VERDICT_GRPC_MAX_STREAM_IN_FLIGHT", "2")
        .flag("grpc.max_batch_items", "--max-batch-items", "3")
        .load()
        .unwrap();
    assert_eq!(config.grpc.max_batch_items, 3);
    assert_eq!(config.grpc.max_stream_in_flight, 2);
    assert_eq!(config.log.level, "error");
    assert_eq!(config.http.address, api::ops::Config::default().address);
}

#[test]
fn reports_every_fault_of_every_place_at_once() {
    let faults = Given::yaml("grpc:\n  adress: 1\n  reflection: maybe\npolices: {}\nlog: {format: xml}\n")
        .variable("VERDICT_GRPC_MAX_BATCH_ITEMS", "none")
        .variable("VERDICT_LOG_LEVLE", "hunter2")
        .flag("policies.evaluation_budget", "--evaluation-budget", "1h")
        .faults();
    assert_eq!(
        faults,
        [
            "verdict.yaml: grpc.adress: unknown key; expected a known key; did you mean `grpc.address`?",
            "verdict.yaml: polices: unknown key; expected a known key; did you mean `policies`?",
            "verdict.yaml: grpc.reflection: the text `maybe` is of the wrong type; expected `true` or `false`",
            "verdict.yaml: log.format: the text `xml` is no format; expected `human` or `json`",
            "VERDICT_LOG_LEVLE: unknown variable; expected a known name; did you mean `VERDICT_LOG_LEVEL`?",
            "VERDICT_GRPC_MAX_BATCH_ITEMS: `none` is no whole number; expected a whole number from 1 to 100000",
            "--evaluation-budget: `1h` is out of range; expected a duration from 1ms to 10s, such as `250ms` or `1s`",
        ]
    );
}

#[test]
fn checks_a_value_even_if_a_later_one_replaces_it() {
    let faults = Given::yaml("grpc: {max_batch_items: 0}").variable("VERDICT_GRPC_MAX_BATCH_ITEMS", "5").faults();
    assert_eq!(
        faults,
        [
            "verdict.yaml: grpc.max_batch_items: the number `0` is out of range; expected a whole number from 1 to 100000"
        ]
    );
}

#[test]
fn refuses_variables_that_nobody_reads_without_their_values() {
    let faults = Given::nothing().variable("VERDICT_TOKEN", "hunter2").variable("VERDICT_", "hunter2").faults();
    assert_eq!(faults.len(), 2);
    for fault in faults {
        assert!(fault.contains("unknown variable") && !fault.contains("hunter2"), "{fault}");
    }
}

#[test]
fn leaves_other_peoples_variables_alone() {
    let given = [
        ("PATH", "/bin"),
        ("verdict_grpc_address", "?"),
        ("VERDICTS", "?"),
        ("VERDICT_CONFORMANCE_DIR", "/tmp"),
        ("VERDICT_SERVER", "127.0.0.1:9191"),
        ("VERDICT_TEST_SLOW", "1"),
    ]
    .into_iter()
    .fold(Given::nothing(), |given, (name, value)| given.variable(name, value));
    assert_eq!(given.described(), Config::default().describe());
}

#[test]
fn a_kubernetes_service_of_our_name_does_not_keep_us_from_starting() {
    let links = [
        ("VERDICT_SERVICE_HOST", "10.0.0.1"),
        ("VERDICT_SERVICE_PORT", "9191"),
        ("VERDICT_SERVICE_PORT_GRPC", "9191"),
        ("VERDICT_PORT", "tcp://10.0.0.1:9191"),
        ("VERDICT_PORT_9191_TCP", "tcp://10.0.0.1:9191"),
        ("VERDICT_PORT_9191_TCP_PROTO", "tcp"),
        ("VERDICT_PORT_9191_TCP_PORT", "9191"),
        ("VERDICT_PORT_9191_TCP_ADDR", "10.0.0.1"),
        ("VERDICT_GRPC_SERVICE_HOST", "10.0.0.1"),
        ("VERDICT_GRPC_PORT_53_UDP_ADDR", "10.0.0.1"),
    ];
    let given = links.into_iter().fold(Given::nothing(), |given, (name, value)| given.variable(name, value));
    assert_eq!(given.described(), Config::default().describe());
    for (name, value) in [("VERDICT_PORT", "9191"), ("VERDICT_GRPC_PORT", "9191"), ("VERDICT_PORT_X_TCP", "")] {
        assert_eq!(Given::nothing().variable(name, value).faults().len(), 1, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn refuses_a_value_that_is_not_utf_8() {
    use std::os::unix::ffi::OsStringExt as _;

    let mut given = Given::nothing();
    given.variables.push(("VERDICT_LOG_LEVEL".into(), OsString::from_vec(vec![0xff])));
    assert!(given.faults()[0].starts_with("VERDICT_LOG_LEVEL: the value is not UTF-8; expected"));
}

#[test]
fn the_flag_for_the_file_goes_before_the_variable() {
    let given = Given::yaml("log: {level: warn}");
    let other = given.path().join("other.toml");
    fs::write(&other, "log.level = \"debug\"").unwrap();
    let mut by_variable = Given::nothing().variable("VERDICT_CONFIG", other.to_str().unwrap());
    assert_eq!(load(&by_variable.flags, by_variable.variables.clone().into_iter()).unwrap().log.level, "debug");
    by_variable.flags.file.clone_from(&given.flags.file);
    assert_eq!(by_variable.load().unwrap().log.level, "warn");
    assert_eq!(
        Given::nothing().variable("VERDICT_CONFIG", "").faults(),
        ["VERDICT_CONFIG: is empty; expected the path of a file"]
    );
}

#[test]
fn refuses_doors_on_one_address_and_names_both_places() {
    assert_eq!(
        Given::yaml("grpc: {address: '127.0.0.1:8181'}").faults(),
        ["verdict.yaml: grpc.address and http.address (not set, so its default): both doors listen on \
          `127.0.0.1:8181`; expected two addresses that do not overlap"]
    );
    let both = |grpc: &str, http: &str| {
        Given::nothing().variable("VERDICT_GRPC_ADDRESS", grpc).flag("http.address", "--http-address", http).load()
    };
    for (grpc, http) in
        [("127.0.0.1:1", "localhost:1"), ("0.0.0.0:1", "127.0.0.1:1"), ("[::1]:1", "[::]:1"), ("unix:/a", "unix:///a")]
    {
        assert!(both(grpc, http).is_err(), "{grpc} {http}");
    }
    for (grpc, http) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:1", "127.0.0.2:1"),
        ("127.0.0.1:1", "127.0.0.1:2"),
        ("unix:/a", "unix:/b"),
        ("unix:/a", "127.0.0.1:1"),
    ] {
        assert!(both(grpc, http).is_ok(), "{grpc} {http}");
    }
    let faults = Given::yaml("grpc: {address: nowhere}\nhttp: {address: '127.0.0.1:9191'}").faults();
    assert_eq!(faults.len(), 1, "no second fault from a value that was refused: {faults:?}");
}

#[test]
fn what_it_describes_gives_the_same_configuration() {
    let config =
        Given::yaml("policies: {path: \"a\\\"b\\\\ \\x7f#: 'é'\", default: 'data.a[\"b c\"]', poll_interval: 61s}")
            .variable("VERDICT_GRPC_MAX_MESSAGE_BYTES", "1025")
            .variable("VERDICT_SERVER_DRAIN_TIMEOUT", "0s")
            .load()
            .unwrap();
    let description = config.describe();
    assert!(description.contains("poll_interval: 61s\n") && description.contains("max_message_bytes: 1025B\n"));
    assert_eq!(Given::yaml(&description).described(), description);
}

#[test]
fn refuses_a_flag_for_no_setting() {
    assert_eq!(
        Given::nothing().flag("grpc.nothing", "--nothing", "1").faults(),
        ["--nothing: sets `grpc.nothing`, which is no setting; expected the name of a setting"]
    );
}

#[test]
fn a_fault_is_one_line_whatever_the_input() {
    let faults = Given::nothing().variable("VERDICT_GRPC_ADDRESS", "a\nverdict.yaml: forged\u{1b}[2J").faults();
    assert!(faults[0].contains(r"a\nverdict.yaml: forged\u{1b}[2J"), "{faults:?}");
    let faults = Given::nothing().variable("VERDICT_LOG_LEVEL", &"x".repeat(100_000)).faults();
    assert!(faults[0].len() < 500);
}
