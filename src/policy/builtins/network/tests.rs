//! Against real sockets of this machine, with a resolver that tells what a test wants.

mod hosts;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use serde_json::{Value as Json, json};

use super::*;

/// A server that answers the number-th connection with what `answer` makes of the request's head; it gives its port
/// and the requests that it got.
fn server(answer: impl Fn(usize, &str, &mut TcpStream) -> String + Send + 'static) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let got = Arc::clone(&requests);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let request = request(&mut stream);
            got.lock().unwrap().push(request.clone());
            let answer = answer(number, &request, &mut stream);
            // The client may be gone.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, requests)
}

fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => bytes.extend(&buffer[..read]),
            _ => return text,
        }
    }
}

fn ok(body: &str, headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn redirect(code: u16, to: &str) -> String {
    format!("HTTP/1.1 {code} Elsewhere\r\nContent-Length: 0\r\nLocation: {to}\r\n\r\n")
}

fn settings(allow: &str) -> NetworkSettings {
    NetworkSettings { allow: allow.parse().unwrap(), ..NetworkSettings::default() }
}

/// Access to `allow`, where every name that ends in `.test` is at 127.0.0.1.
fn network(allow: &str) -> Network {
    Network::with_resolver(settings(allow), Arc::new(|_: &str| Ok(vec!["127.0.0.1".parse().unwrap()])))
}

fn send(network: Network, request: Json) -> Result<Json, Failure> {
    let request = Rego::from(request);
    network.http_send(&[request]).map(|value| serde_json::to_value(value).unwrap())
}

fn get(url: &str) -> Json {
    json!({"method": "get", "url": url})
}

#[track_caller]
fn halts(result: Result<Json, Failure>, words: &[&str]) {
    let Err(Failure::Halt(message)) = result else { panic!("it did not halt: {result:?}") };
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn off_without_configuration_whatever_raise_error_says() {
    let request = json!({"method": "get", "url": "http://127.0.0.1:1/", "raise_error": false});
    halts(send(Network::OFF, request.clone()), &["`network.allow`"]);
    halts(send(Network::new(NetworkSettings::default()), request), &["`network.allow`"]);
    let name = [Rego::from("localhost")];
    assert!(matches!(Network::OFF.lookup(&name), Err(Failure::Halt(_))));
}

#[test]
fn sends_what_it_is_told_and_gives_what_it_gets() {
    let (port, requests) =
        server(|_, _, _| ok(r#"{"a": [1]}"#, "Content-Type: application/json\r\nX-Y: 1\r\nX-Y: 2\r\n"));
    let answer = send(
        network("127.0.0.1"),
        json!({
            "method": "post", "url": format!("http://user:secret@127.0.0.1:{port}/a/b?c=d#e"), "body": {"x": 1},
            "headers": {"Content-Type": "application/json", "Connection": "upgrade"},
        }),
    );
    assert_eq!(
        answer,
        Ok(json!({
            "status": "200 OK", "status_code": 200, "body": {"a": [1]}, "raw_body": "{\"a\": [1]}",
            "headers": {"content-length": ["10"], "content-type": ["application/json"], "x-y": ["1", "2"]},
        }))
    );
    let request = requests.lock().unwrap().first().unwrap().clone();
    assert!(request.starts_with("POST /a/b?c=d HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"x\":1}"), "{request}");
    assert!(request.to_lowercase().contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")), "{request}");
    assert!(!request.contains("secret") && !request.contains("upgrade"), "{request}");
}

/// OPA keeps the bytes, and tells them apart.
#[test]
fn what_is_not_utf_8_ends_the_evaluation() {
    let (port, _) = server(|_, request, stream| {
        let (header, body): (&[u8], &[u8]) = match request {
            request if request.contains("/header") => (b"\xff", b"bb"),
            request if request.contains("/body") => (b"a", b"b\xff"),
            _ => (b"\xc3\xa9", b"\xc3\xa9"),
        };
        let answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ", header, b"\r\n\r\n", body].concat();
        stream.write_all(&answer).unwrap();
        String::new()
    });
    let ask = |path: &str| {
        let url = format!("http://127.0.0.1:{port}/{path}");
        send(network("127.0.0.1"), json!({"method": "get", "url": url, "raise_error": false}))
    };
    for path in ["header", "body"] {
        let Err(Failure::Spent(cause)) = ask(path) else { panic!("{path} has a value") };
        assert!(cause.contains("not UTF-8"), "{path}: {cause}");
    }
    let answer = ask("").unwrap();
    assert_eq!((&answer["raw_body"], &answer["headers"]["x"]), (&json!("é"), &json!(["é"])));
}

#[test]
fn bodies_are_read_by_their_type_or_by_force() {
    let (port, _) = server(|_, request, _| {
        let kind = if request.contains("/yaml") { "application/yaml" } else { "text/plain" };
        ok("a: 1", &format!("Content-Type: {kind}\r\n"))
    });
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let body = |request: Json| send(network("127.0.0.1"), request).unwrap()["body"].clone();
    assert_eq!(body(get(&url("yaml"))), json!({"a": 1}));
    assert_eq!(body(get(&url("text"))), Json::Null);
    assert_eq!(body(json!({"method": "get", "url": url("text"), "force_yaml_decode": true})), json!({"a": 1}));
    assert_eq!(body(json!({"method": "get", "url": url("text"), "force_json_decode": true})), Json::Null);
}

#[test]
fn redirects_are_followed_only_when_told_and_only_within_the_list() {
    let (port, requests) = server(|_, request, _| match request.split(' ').nth(1) {
        Some("/out") => redirect(302, "http://evil.test/?token=x"),
        Some("/loop") => redirect(307, "/loop"),
        Some("/other") => {
            redirect(302, "//two.test:PORT/end").replace("PORT", request.rsplit("port: ").next().unwrap().trim())
        }
        Some("/see") => redirect(303, "/end"),
        Some("/keep") => redirect(308, "/end"),
        _ => ok("end", ""),
    });
    let access = network("one.test, two.test, 127.0.0.1");
    let ask = |path: &str, follow: bool| {
        send(
            access,
            json!({
                "method": "post", "url": format!("http://one.test:{port}{path}"), "raw_body": "b", "enable_redirect": follow,
                "headers": {"authorization": "secret", "port": port.to_string()}, "raise_error": false,
            }),
        )
    };
    assert_eq!(ask("/out", false).unwrap()["status_code"], json!(302));
    halts(ask("/out", true), &["`evil.test`", "`network.allow`"]);
    assert_eq!(ask("/loop", true).unwrap()["status_code"], json!(0));
    requests.lock().unwrap().clear();
    assert_eq!(ask("/see", true).unwrap()["raw_body"], json!("end"));
    assert_eq!(ask("/keep", true).unwrap()["raw_body"], json!("end"));
    let got = requests.lock().unwrap().clone();
    assert!(got[1].starts_with("GET /end") && got[1].contains("secret"), "{got:?}");
    assert!(got[3].starts_with("POST /end") && got[3].ends_with('b'), "{got:?}");
}

#[test]
fn a_host_does_not_get_what_was_for_another() {
    let (second, requests) = server(|_, _, _| ok("", ""));
    let (first, _) = server(move |_, _, _| redirect(307, &format!("http://two.test:{second}/")));
    let request = json!({
        "method": "get", "url": format!("http://one.test:{first}/"), "enable_redirect": true,
        "headers": {"Authorization": "secret", "Cookie": "secret", "X-Mine": "kept"},
    });
    assert!(send(network("*.test, 127.0.0.1"), request).is_ok());
    let got = requests.lock().unwrap().concat();
    assert!(got.contains("kept") && !got.contains("secret"), "{got}");
}

#[test]
fn a_huge_body_halts_and_a_slow_one_times_out() {
    let (port, _) = server(|_, request, stream| {
        if request.contains("/slow") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
            for _ in 0..100 {
                thread::sleep(Duration::from_millis(50));
                if stream.write_all(b"x").is_err() {
                    break;
                }
            }
            return String::new();
        }
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(64))
    });
    let access = network("127.0.0.1");
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    halts(
        send(access, json!({"method": "get", "url": url("huge"), "raise_error": false})),
        &["`127.0.0.1`", "`network.max_response_bytes`"],
    );
    let started = Instant::now();
    let slow = json!({"method": "get", "url": url("slow?token=secret"), "timeout": "150ms", "max_retry_attempts": 3});
    let Err(Failure::Operand(message)) = send(access, slow) else { panic!("it did not time out") };
    assert!(message.contains("timed out") && !message.contains("secret"), "{message}");
    assert!(started.elapsed() < Duration::from_secs(4));
    let told = json!({"method": "get", "url": url("slow"), "timeout": 150_000_000, "raise_error": false});
    assert_eq!(send(access, told).unwrap()["error"]["code"], json!("eval_http_send_network_error"));
}

#[test]
fn answers_are_kept_as_they_say_or_as_they_are_forced() {
    let (port, requests) = server(|_, request, _| {
        let control =
            if request.contains("/fresh") { "Cache-Control: max-age=60\r\n" } else { "Cache-Control: no-store\r\n" };
        ok("x", control)
    });
    let access = network("127.0.0.1");
    let asked = |path: &str, method: &str, more: Json| {
        requests.lock().unwrap().clear();
        let mut request = json!({"method": method, "url": format!("http://127.0.0.1:{port}/{path}")});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert!(send(access, request.clone()).is_ok());
        assert!(send(access, request).is_ok());
        requests.lock().unwrap().len()
    };
    assert_eq!(asked("fresh", "get", json!({"cache": true})), 1);
    assert_eq!(asked("fresh", "get", json!({})), 2);
    assert_eq!(asked("fresh", "post", json!({"cache": true})), 2);
    assert_eq!(asked("stale", "get", json!({"cache": true})), 2);
    assert_eq!(asked("stale", "get", json!({"force_cache": true, "force_cache_duration_seconds": 60})), 1);
    let ignoring = |value: &str| json!({"cache": true, "headers": {"X": value}, "cache_ignored_headers": ["X"]});
    assert_eq!(asked("fresh", "get", ignoring("1")), 1);
    assert_eq!(asked("fresh", "get", ignoring("2")), 0);
}

#[test]
fn the_cache_is_bounded_and_ends() {
    let mut cache = Cache::default();
    let response = client::Response {
        status: hyper::StatusCode::OK,
        reason: String::new(),
        headers: hyper::HeaderMap::new(),
        body: bytes::Bytes::from(vec![b'x'; 1_000]),
    };
    let (now, minute) = (Instant::now(), Duration::from_secs(60));
    for number in 0..100 {
        cache.put(format!("{number}"), &response, Some(minute * (number + 1)), now, 10_000);
    }
    let kept = (0..100).filter(|number| cache.get(&format!("{number}"), now).is_some()).count();
    assert!((1..10).contains(&kept), "{kept}");
    assert!(cache.get("99", now).is_some() && cache.get("99", now + minute * 101).is_none());
    cache.put("large".to_owned(), &response, Some(minute), now, 100);
    assert!(cache.get("large", now).is_none());
}

#[test]
fn wrong_requests_fail_and_dangerous_ones_halt() {
    let access = network("127.0.0.1");
    for (mut request, keys) in [
        (json!({"url": "http://127.0.0.1/"}), r#"missing required request parameters(s): {"method"}"#),
        (json!({}), r#"missing required request parameters(s): {"method", "url"}"#),
        (json!({"method": "get", "b": 1, "a": 1}), r#"invalid request parameters(s): {"a", "b"}"#),
    ] {
        let fault = format!("operand 1 {keys}");
        assert_eq!(send(access, request.clone()).err(), Some(Failure::Type(fault)), "{request}");
        request["raise_error"] = json!(false);
        assert!(send(access, request).is_ok());
    }
    for request in [
        json!({"method": "get", "url": "nothing"}),
        json!({"method": "g t", "url": "http://127.0.0.1/"}),
        json!({"method": "get", "url": "http://127.0.0.1/", "headers": {"a": 1}}),
        json!({"method": "get", "url": "http://127.0.0.1/", "headers": {"a": "x\r\ny: z"}}),
        json!({"method": "get", "url": "http://127.0.0.1/", "timeout": "soon"}),
        json!({"method": "get", "url": "http://127.0.0.1/", "raise_error": 1}),
        json!({"method": "get", "url": "http://127.0.0.1/", "force_cache": true}),
    ] {
        assert!(matches!(send(access, request.clone()), Err(Failure::Operand(_))), "{request}");
    }
    assert!(matches!(access.http_send(&[Rego::from("x")]), Err(Failure::Type(_))));
    for (name, value) in [
        ("tls_insecure_skip_verify", json!(true)),
        ("tls_ca_cert_file", json!("/etc/passwd")),
        ("tls_client_key_env_variable", json!("SECRET")),
    ] {
        let request = json!({"method": "get", "url": "https://127.0.0.1/", "raise_error": false, name: value});
        halts(send(access, request), &[name]);
    }
}

#[test]
fn a_server_without_a_certificate_that_is_trusted_is_not_believed() {
    let (port, requests) = server(|_, _, _| ok("", ""));
    let url = format!("https://127.0.0.1:{port}/");
    assert!(matches!(send(network("127.0.0.1"), get(&url)), Err(Failure::Operand(_))));
    assert!(!requests.lock().unwrap().concat().contains("GET"));
}

/// The value of `data.p.x` in a module, or its error.
fn evaluated(network: Network, module: &str) -> Result<Rego, String> {
    use crate::policy::{
        Options,
        engine::{Engine, Failure},
    };
    let mut engine = Engine::blank(Options { network, ..Options::default() });
    engine.add_policy("p.rego".to_owned(), format!("package p\nimport rego.v1\n{module}")).unwrap();
    let mut engine = Engine::prepare(engine).unwrap();
    engine.attempt("data.p.x", Duration::from_secs(10)).map_err(|failure| match failure {
        Failure::Error(error) => error.to_string(),
        Failure::Budget => "no time left".to_owned(),
    })
}

#[test]
fn neither_not_nor_raise_error_makes_a_value_of_what_is_forbidden() {
    let (port, _) = server(|_, _, _| redirect(302, "http://evil.test/"));
    for (access, host) in
        [(Network::OFF, "one.test"), (network("other.test"), "one.test"), (network("one.test, 127.0.0.1"), "evil.test")]
    {
        let call = format!(
            r#"http.send({{"method": "get", "url": "http://one.test:{port}/", "raise_error": false, "enable_redirect": true}})"#
        );
        for module in [
            format!("x if not {call}"),
            format!("x if {call}.status_code == 0"),
            format!("x := [r | r := {call}]"),
            format!("x := true if {{ {call} }} else := true"),
            "x if not net.lookup_ip_addr(\"one.example\")".to_owned(),
        ] {
            let error = evaluated(access, &module).unwrap_err();
            assert!(error.contains("p.rego:3:") && error.contains("`network.allow`"), "{module}: {error}");
            let named = access.0.is_none() || error.contains(host) || error.contains("one.example");
            assert!(named, "{module}: {error}");
        }
    }
}

#[test]
fn a_policy_gets_an_answer_and_failures_are_undefined() {
    let (port, _) = server(|_, _, _| ok("{\"allow\": true}", "Content-Type: application/json\r\n"));
    let call = |port: u16| format!(r#"http.send({{"method": "get", "url": "http://127.0.0.1:{port}/"}}).body.allow"#);
    let access = network("127.0.0.1");
    assert_eq!(evaluated(access, &format!("x if {}", call(port))), Ok(Rego::Bool(true)));
    // Nobody listens at port 1; as in OPA, that is undefined.
    assert_eq!(evaluated(access, &format!("x if {}", call(1))), Ok(Rego::Undefined));
}

#[test]
fn a_query_sends_equal_requests_once() {
    let (port, requests) = server(|_, _, _| ok("", ""));
    let access = network("127.0.0.1");
    let count = || requests.lock().unwrap().len();
    let ask = |path: &str| send(access, get(&format!("http://127.0.0.1:{port}/{path}"))).unwrap();
    let query = Query::begin();
    ask("a");
    ask("a");
    ask("b");
    assert_eq!(count(), 2);
    drop(query);
    ask("a");
    ask("a");
    assert_eq!(count(), 4);
    let _query = Query::begin();
    ask("a");
    assert_eq!(count(), 5);
}

#[test]
fn an_evaluation_that_waits_beyond_its_budget_asks_once() {
    use crate::policy::{Options, budget::Budget, engine::Engine};
    let (port, requests) = server(|_, _, _| {
        thread::sleep(Duration::from_millis(150));
        ok("", "")
    });
    let mut blank = Engine::blank(Options { network: network("127.0.0.1"), ..Options::default() });
    let call = format!(r#"http.send({{"method": "post", "url": "http://127.0.0.1:{port}/"}})"#);
    blank.add_policy("p.rego".to_owned(), format!("package p\nimport rego.v1\nx := {call}.status_code")).unwrap();
    let mut engine = Engine::prepare(blank).unwrap();
    let mut budget = Budget::new(Duration::from_millis(50), Duration::from_secs(2));
    let result = engine.rule("data.p.x", &mut budget);
    assert_eq!(requests.lock().unwrap().len(), 1);
    assert_eq!(result.unwrap(), Rego::from(200_u64));
}
