//! What is not told, though the evaluation came by it.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::policy::{Network, NetworkSettings};

/// All that is told of the answer of these rules, with that data.
fn told(rego: &str, data: &str, network: Network) -> String {
    let policy = ("p.rego".to_owned(), format!("package p\n{rego}").into_bytes());
    let bundle = Bundle::from_files([policy, ("data.json".to_owned(), data.as_bytes().to_vec())]).unwrap();
    let snapshot = Snapshot::compile(&bundle, 1, Options { network, ..Options::default() }).unwrap();
    let question = r#"{"subject": {"type": "user", "id": "bob"}, "action": {"name": "read"},
        "resource": {"type": "doc", "id": "1"}, "context": {"guess": "zzz", "k": "password"}}"#;
    let query = crate::api::json::query(question.as_bytes()).unwrap();
    let time = Time { budget: Duration::from_secs(10), patience: Duration::from_secs(10) };
    let entry: EntryPoint = "data.p".parse().unwrap();
    let verdict = snapshot.evaluate(&Query { explain: true, ..query }, &entry, time);
    format!("{verdict:?}")
}

#[test]
fn hides_what_policies_put_under_hidden_names() {
    let mut wrong = Vec::new();
    for body in [
        "c := {\"password\": data.k}\nc.password == input.context.guess",
        "c := {\"password\": data.k}\ny := c.password\ny == input.context.guess",
        "c := {\"password\": data.k}\n[a] := [c.password]\na == input.context.guess",
        "c := {\"password\": data.k}\nk := \"password\"\nc[k] == input.context.guess",
        "c := {input.context.k: data.k}\nc[input.context.k] == input.context.guess",
        "some k, v in {\"password\": data.k}\nv == input.context.guess",
        "f({\"password\": data.k})",
        "f({input.context.k: data.k})",
        "object.get({\"password\": data.k}, \"password\", \"\") == input.context.guess",
        "object.get({input.context.k: data.k}, \"password\", \"\") == input.context.guess",
        "object.get({x: y | some x in [\"password\"]; y := data.k}, \"password\", \"\") == input.context.guess",
        "json.unmarshal(sprintf(`{\"password\": \"%s\"}`, [data.k])).password == input.context.guess",
        "object.get(json.unmarshal(sprintf(`{\"password\": \"%s\"}`, [data.k])), \"password\", \"\") == \"x\"",
        "x := {\"password\": data.k}.password\nx == input.context.guess",
        "h := {\"Authorization\": sprintf(\"Bearer %s\", [data.k])}\nh.Authorization == input.context.guess",
        "h := [{\"Authorization\": base64.encode(t)} | t := data.k]\nd := data.k\nh == d",
        "t := base64.encode(data.k)\nt != data.k\nsend({\"headers\": {\"Authorization\": t}})",
        "api_key != data.k\nsend({\"headers\": {\"Authorization\": made}})",
        "data.k == input.context.guess\nsend({\"headers\": {\"Authorization\": made}})",
        "password := data.k\npassword == input.context.guess",
        "my_token := data.k\nx := my_token\nx == input.context.guess",
        "token == input.context.guess",
        "not object.get({\"password\": data.k}, \"password\", \"\") == data.k",
        "not f({\"password\": data.k})\ndata.k == \"x\"",
        "takes(data.k)",
        "every x in [{\"password\": data.k}] { x.password == input.context.guess }",
        "some t in data.all\nc := {\"password\": t}\nc.password == input.context.guess",
    ] {
        let rego = format!(
            "allow if {{\n{body}\n}}\nf(x) if x.password == input.context.guess\nsend(r) if r.headers.x == 1\n\
             api_key := data.k\nmade := base64.encode(api_key)\ntoken := data.k\n\
             takes(password) if {{\ny := password\ny == input.context.guess\n}}"
        );
        let told = told(&rego, r#"{"k": "UPKEY1234567", "all": ["UPKEY1234567", "UPKEY7654321"]}"#, Network::OFF);
        if told.contains("UPKEY") || told.contains("VVBLRV") || !told.contains("[redacted]") {
            wrong.push(format!("{body}: {told}"));
        }
        if !told.contains("note: \"\"") {
            wrong.push(format!("{body}: a note in {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let shown = told(
        "allow if {\nc := {\"name\": data.k}\nc.name == input.context.guess\n}",
        r#"{"k": "A-NAME"}"#,
        Network::OFF,
    );
    assert!(shown.contains("`A-NAME` is not `zzz`"), "{shown}");
}

#[test]
fn an_explanation_asks_no_host_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue");
        }
    });
    let network = Network::new(NetworkSettings { allow: "127.0.0.1".parse().unwrap(), ..NetworkSettings::default() });
    let rego = format!(
        "allow if {{\nanswer.status_code == 200\ntok := data.k\n\
         http.send({{\"method\": \"post\", \"url\": \"http://127.0.0.1:{port}\", \"headers\": {{\"Authorization\": tok}}, \
         \"raw_body\": sprintf(\"%d\", [time.now_ns()])}}).status_code == 201\n}}\n\
         answer := http.send({{\"method\": \"post\", \"url\": \"http://127.0.0.1:{port}/a\", \"body\": 1}})"
    );
    let told = told(&rego, r#"{"k": "UPKEY1234567"}"#, network);
    assert!(told.contains("is not `201`") && told.contains("note: \"\""), "{told}");
    assert!(!told.contains("UPKEY"), "{told}");
    assert_eq!(count.load(Ordering::Relaxed), 2, "{told}");
}
