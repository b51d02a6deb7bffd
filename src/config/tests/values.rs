//! Values: types and bounds.

use super::*;

/// The problem that the file's only fault names, without its place and what is expected.
fn problem(text: &str) -> String {
    let faults = Given::yaml(text).faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    let (_, rest) = faults[0].strip_prefix("verdict.yaml: ").unwrap().split_once(": ").unwrap();
    rest.split_once("; expected ").unwrap().0.to_owned()
}

#[test]
fn refuses_values_of_the_wrong_type() {
    for (text, expected) in [
        ("grpc: {address: 9191}", "the number `9191` is of the wrong type"),
        ("grpc: {max_batch_items: '10'}", "the text `10` is of the wrong type"),
        ("grpc: {max_batch_items: 1.5}", "a number with a fraction is of the wrong type"),
        ("grpc: {max_batch_items: [1]}", "a list is of the wrong type"),
        ("grpc: {max_batch_items: {a: 1}}", "a table is of the wrong type"),
        ("grpc: {max_message_bytes: true}", "the boolean `true` is of the wrong type"),
        ("grpc: {reflection: 1}", "the number `1` is of the wrong type"),
        ("grpc: {reflection: yes}", "the text `yes` is of the wrong type"),
        ("grpc: {request_timeout: 1}", "the number `1` has no unit"),
        ("grpc: {request_timeout: true}", "the boolean `true` is of the wrong type"),
        ("policies: {path: !env HOME}", "a value with a tag is of the wrong type"),
        ("policies: {path: }", "has no value"),
        ("policies: {path: ~}", "has no value"),
        ("log: {level: false}", "the boolean `false` is of the wrong type"),
    ] {
        assert_eq!(problem(text), expected, "{text}");
    }
    let faults = Given::file("verdict.toml", "policies.path = 1979-05-27\nlog.level = 1.0").faults();
    assert_eq!(faults[0], "verdict.toml: policies.path: a date is of the wrong type; expected the path of a folder");
    assert_eq!(faults.len(), 2);
}

#[test]
fn refuses_values_that_are_wrong() {
    for (text, expected) in [
        ("grpc: {address: 'localhost'}", "the text `localhost` is no address"),
        ("grpc: {address: 'example.com:80'}", "the text `example.com:80` is no address"),
        ("admin: {address: '127.0.0.1:1'}", "the text `127.0.0.1:1` is TCP, where callers are not authenticated yet"),
        ("admin: {address: '/run/admin.sock'}", "the text `/run/admin.sock` is no unix socket"),
        ("grpc: {max_message_bytes: 1MB}", "the text `1MB` has no unit of size"),
        ("grpc: {request_timeout: 5}", "the number `5` has no unit"),
        ("grpc: {request_timeout: '5'}", "the text `5` has no unit"),
        ("grpc: {request_timeout: 1 min}", "the text `1 min` has no unit of time"),
        ("policies: {default: authz}", "`authz` is no reference to a rule or package: it does not start with `data`"),
        ("policies: {path: ''}", "the text `` is empty"),
        ("policies: {path: \"a\\0b\"}", r"the text `a\u{0}b` has a zero byte"),
        ("log: {level: ''}", "the text `` is empty"),
        ("log: {level: 'a=b=c'}", "the text `a=b=c` is no log filter"),
        ("log: {level: inof}", "`inof` is no level (a module is followed by `=` and its level)"),
        ("log: {level: 'warn,verdict'}", "`verdict` is no level (a module is followed by `=` and its level)"),
        ("log: {level: 'warn, verdict=info'}", "` verdict=info` has a space"),
        ("log: {level: 'warn,'}", "`` is no level (a module is followed by `=` and its level)"),
        ("log: {format: JSON}", "the text `JSON` is no format"),
    ] {
        assert_eq!(problem(text), expected, "{text}");
    }
}

#[test]
fn takes_filters_by_module_and_by_span() {
    for level in
        ["off", "INFO", "warn,verdict::reload=debug", "info,[request{id=7}]=trace", "[request]", "verdict=info"]
    {
        assert_eq!(Given::nothing().flag("log.level", "--log-level", level).load().unwrap().log.level, level);
    }
}

#[test]
fn holds_every_bound_from_both_sides() {
    for (name, inside, outside) in [
        ("grpc.max_message_bytes", ["1KiB", "64MiB"], ["1023", "67108865"]),
        ("grpc.max_batch_items", ["1", "100000"], ["0", "100001"]),
        ("grpc.max_stream_in_flight", ["1", "65536"], ["0", "65537"]),
        ("grpc.max_concurrent_streams", ["1", "1000000"], ["0", "4294967296"]),
        ("grpc.request_timeout", ["1ms", "5m"], ["0ms", "300001ms"]),
        ("policies.evaluation_budget", ["1ms", "10s"], ["0s", "10001ms"]),
        ("policies.settle", ["1ms", "10s"], ["0s", "11s"]),
        ("policies.poll_interval", ["100ms", "1h"], ["99ms", "61m"]),
        ("server.drain_timeout", ["0s", "10m"], ["601s", "18446744073709551615h"]),
        ("server.worker_threads", ["0", "1024"], ["1025", "99999999999999999999"]),
        ("server.max_connections", ["1", "1000000"], ["0", "1000001"]),
        ("server.handshake_timeout", ["10ms", "1m"], ["9ms", "61s"]),
        ("server.max_connection_age", ["1s", "24h"], ["999ms", "25h"]),
    ] {
        for value in inside {
            assert!(Given::nothing().flag(name, "--flag", value).load().is_ok(), "{name} {value}");
        }
        for value in outside {
            let faults = Given::nothing().flag(name, "--flag", value).faults();
            assert!(faults[0].starts_with(&format!("--flag: `{value}` is out of range; expected a")), "{faults:?}");
        }
    }
    for number in ["-1", "99999999999999999999", "999999999999999999999999999999999999999999"] {
        assert_eq!(Given::yaml(&format!("server: {{worker_threads: {number}}}")).faults().len(), 1, "{number}");
    }
}

#[test]
fn every_default_is_within_its_bounds() {
    let given =
        show::values(&Config::default()).into_iter().fold(Given::nothing(), |given, (name, value)| match value {
            show::Shown::Plain(text) | show::Shown::Text(text) => given.flag(name, "--flag", &text),
            show::Shown::Unset(_) => given,
        });
    assert_eq!(given.described(), Config::default().describe());
}

#[test]
fn a_public_url_has_a_scheme_and_a_host_and_nothing_after_the_path() {
    let url = |text: &str| Given::yaml(&format!("http: {{public_url: '{text}'}}"));
    assert_eq!(
        url("https://pdp.example.com/").load().unwrap().authzen.public_url.unwrap().to_string(),
        "https://pdp.example.com"
    );
    for text in ["", "pdp.example.com", "ftp://pdp", "https://", "https://a?b", "https://a#b", "https://u@a"] {
        let faults = url(text).faults();
        assert!(faults.len() == 1 && faults[0].contains("http.public_url"), "{text}: {faults:?}");
    }
}

#[test]
fn transmitters_are_asked_over_tls_or_on_this_machine() {
    let with = |keys: &str, poll: &str| {
        let transmitter = format!("{{issuer: 'https://idp.example', audience: a, issuers: [x]{keys}{poll}}}");
        Given::yaml(&format!("revocation: {{store: r}}\nssf: {{transmitters: {{idp: {transmitter}}}}}"))
    };
    let file = ", jwks_file: k.json";
    let both = |url: &str| {
        [
            ("poll.url", with(file, &format!(", poll: {{url: '{url}'}}"))),
            ("jwks_url", with(&format!(", jwks_url: '{url}'"), "")),
        ]
    };
    for url in ["http://idp.example/x", "http://127.0.0.1.example/", "http://10.0.0.1/", "http://[::2]/"] {
        for (field, given) in both(url) {
            let faults = given.faults();
            let wanted = format!("idp.{field}: is not encrypted; expected one that begins with `https://`");
            assert!(faults.iter().any(|fault| fault.contains(&wanted)), "{url}: {faults:#?}");
        }
    }
    for url in ["https://idp.example/x", "http://127.0.0.1:9/", "http://localhost/", "http://[::1]/"] {
        for (_, given) in both(url) {
            given.load().unwrap();
        }
    }
    for url in ["ftp://idp.example/", "https://user@idp.example/", "idp.example"] {
        for (field, given) in both(url) {
            assert!(given.faults().iter().any(|fault| fault.contains(&format!("idp.{field}: "))), "{url}");
        }
    }
    for (keys, fault) in [
        ("", "jwks_file: is missing"),
        (", jwks_file: k, jwks_url: 'https://a/'", "is given together with `jwks_file`"),
        (", jwks_file: k, jwks_ca_file: c", "is given without `jwks_url`"),
    ] {
        assert!(with(keys, "").faults().iter().any(|found| found.contains(fault)), "{keys}");
    }
}
