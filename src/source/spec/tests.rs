use super::*;

fn spec(text: &str) -> Spec {
    toml::from_str(text).unwrap()
}

fn fields(text: &str) -> Vec<String> {
    spec(text).check().into_iter().map(|(field, _)| field).collect()
}

#[test]
fn reads_all_there_is() {
    let spec = spec(
        r#"
        url = "https://example.com/b.tar.gz"
        polling = { min = "1m", max = "2m" }
        long_poll = "30s"
        header_files = { x-api-key = "/run/key" }
        headers = { x-team = "a" }
        plain_http = false
        [oauth2]
        token_url = "https://id.example.com/token"
        client_id = "verdict"
        client_secret_file = "/run/secret"
        scopes = ["read"]
        parameters = { audience = "x" }
        [tls]
        ca_file = "/run/ca.pem"
        cert_file = "/run/cert.pem"
        key_file = "/run/key.pem"
        [limits]
        size = "64MiB"
        timeout = "2m"
        idle_timeout = "10s"
        connect_timeout = "500ms"
        [back_off]
        min = "100ms"
        max = "1h"
        "#,
    );
    assert_eq!(spec.check(), []);
    assert_eq!((spec.limits.size.0, spec.limits.connect_timeout.0), (64 << 20, Duration::from_millis(500)));
    assert_eq!(spec.open().unwrap().name(), "bundle https://example.com/b.tar.gz");
}

#[test]
fn accepts_every_kind_of_url() {
    for (url, kind) in [
        ("https://example.com/b", Kind::Http),
        ("http://127.0.0.1:8080/b", Kind::Http),
        ("http://localhost/b", Kind::Http),
        ("http://[::1]/b", Kind::Http),
        ("s3://bucket/team/b.tar.gz", Kind::S3),
        ("gs://bucket/b", Kind::Gcs),
        ("az://container/b", Kind::Azure),
        ("abfss://container@account.dfs.core.windows.net/b", Kind::Azure),
        ("oci://ghcr.io/org/policies:1", Kind::Oci),
        ("oci://localhost:5000/policies", Kind::Oci),
        ("file:///etc/b.tar.gz", Kind::File),
        ("file:b.tar.gz", Kind::File),
        ("folder:///etc/policies", Kind::Folder),
    ] {
        let spec = Spec::new(url);
        assert_eq!(spec.check(), [], "{url}");
        assert_eq!(spec.url.kind(), Some(kind), "{url}");
        assert_eq!(spec.open().unwrap().status().unwrap().report().kind, kind);
    }
    let pinned = format!("oci://ghcr.io/org/policies@sha256:{}", "0".repeat(64));
    assert_eq!(Spec::new(pinned).check(), []);
}

#[test]
fn refuses_urls_that_name_nothing_or_hold_secrets() {
    for url in [
        "",
        "   ",
        "example.com/b",
        "ftp://example.com/b",
        "https://",
        "https://user:hush@example.com/b",
        "https://user:hu?sh@example.com/b",
        "https://hush@example.com/b",
        "https://example.com/b#hush",
        "http://example.com/b",
        "http://127.0.0.1.example.com/b",
        "http://localhost.example.com/b",
        "s3://bucket",
        "s3://bucket/",
        "s3://user:hush@bucket/b",
        "s3://bucket/b?X-Amz-Signature=hush",
        "az://c:hush@account/b",
        "oci://policies:1",
        "oci://org/policies:1",
        "oci://ghcr.io/Org/policies:1",
        "oci://ghcr.io/org/policies@sha256:0",
        "oci://user:hush@ghcr.io/org/policies:1",
        "file:",
        "folder://",
    ] {
        let spec = Spec::new(url);
        let faults = spec.check();
        assert!(faults.iter().any(|(field, _)| field == "url"), "{url}: {faults:?}");
        let words = format!("{faults:?} {:?} {}", spec, spec.url);
        assert!(!words.contains("hush") && !words.contains("hu?sh"), "{words}");
        assert!(spec.open().is_err());
    }
    assert_eq!(Spec { plain_http: true, ..Spec::new("http://example.com/b") }.check(), []);
}

#[test]
fn tells_every_fault_with_its_field() {
    let text = r#"
        url = "https://example.com/b"
        polling = { min = "2m", max = "1m" }
        back_off = { min = "1ms", max = "25h" }
        long_poll = "2h"
        token_file = "/run/token"
        basic = { user = "a:b", password_file = "/run/password" }
        headers = { Authorization = "hush", Host = "x", "a b" = "x", x-good = "yes" }
        header_files = { If-None-Match = "/x" }
        limits = { size = 0, timeout = "0s" }
        tls = { cert_file = "/run/cert" }
        object = { region = "x", endpoint = "http://example.com", session_token_file = "/x" }
    "#;
    let found = fields(text);
    for field in [
        "polling",
        "back_off.min",
        "back_off.max",
        "long_poll",
        "token_file",
        "basic.user",
        "headers.Authorization",
        "headers.Host",
        "headers.a b",
        "header_files.If-None-Match",
        "limits.size",
        "limits.timeout",
        "tls",
        "object.endpoint",
        "object.region",
        "object.session_token_file",
    ] {
        assert!(found.iter().any(|name| name == field), "{field} in {found:?}");
    }
    assert!(!found.iter().any(|name| name == "headers.x-good"));
    assert!(!format!("{:?}", spec(text)).contains("hush"));
}

#[test]
fn refuses_options_that_mean_nothing() {
    for (text, field) in [
        ("url = 's3://b/k'\nlong_poll = '5s'", "long_poll"),
        ("url = 's3://b/k'\ntoken_file = '/x'", "token_file"),
        ("url = 'oci://ghcr.io/a/b'\nheaders = { a = 'b' }", "headers"),
        ("url = 'file:/b'\nplain_http = true", "plain_http"),
        ("url = 'folder:/b'\ntls = { ca_file = '/x' }", "tls.ca_file"),
        ("url = 'gs://b/k'\nobject = { region = 'x' }", "object.region"),
        ("url = 'https://a/b'\nobject = { anonymous = true }", "object.anonymous"),
    ] {
        assert_eq!(fields(text), [field]);
    }
}

#[test]
fn refuses_keys_and_quantities_that_it_does_not_know() {
    for text in [
        "url = 'https://a/b'\npoling = {}",
        "url = 'https://a/b'\ntoken = 'hush'",
        "url = 'https://a/b'\nbasic = { user = 'a', password = 'hush' }",
        "url = 'https://a/b'\npolling = { min = '1 day', max = '2m' }",
        "url = 'https://a/b'\npolling = { min = 5, max = 6 }",
        "url = 'https://a/b'\nlong_poll = '-1s'",
        "url = 'https://a/b'\nlong_poll = '1.5s'",
        "url = 'https://a/b'\nlimits = { size = '1MB' }",
        "url = 'https://a/b'\nlimits = { size = -1 }",
        "url = 'https://a/b'\nlimits = { size = '99999999999GiB' }",
        "polling = {}",
    ] {
        assert!(toml::from_str::<Spec>(text).is_err(), "{text}");
    }
}
