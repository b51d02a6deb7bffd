//! OPA's shape, beside what the real OPA logs of the same question, policy and mask.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    rig::{Rig, ask, has, question, skipped, stop},
    support::eventually,
};

const MASK: &str = "package system.log
import rego.v1
mask contains \"/input/context/ssn\"
mask contains \"/input/context/list/1\"
mask contains \"/input/context/nothing\"
mask contains {\"op\": \"upsert\", \"path\": \"/input/context/name\", \"value\": {\"x\": 1}}
mask contains {\"op\": \"upsert\", \"path\": \"/input/context/new/deep\", \"value\": 1}
mask contains {\"op\": \"upsert\", \"path\": \"/input/context/note/deep\", \"value\": 1}
mask contains {\"op\": \"remove\", \"path\": \"/input/context/sensitive\"} if input.result.allow == true
mask contains {\"op\": \"remove\", \"path\": \"/input/context/path\"} if input.path == \"authz/decision\"
";

struct Opa(std::process::Child);

impl Drop for Opa {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn opa() -> Option<PathBuf> {
    let named = env::var_os("VERDICT_TEST_OPA").map(PathBuf::from).filter(|file| file.is_file());
    named.or_else(|| Command::new("opa").arg("version").output().is_ok().then(|| "opa".into()))
}

/// Asks the real OPA, and gives its event.
async fn logged_by_opa(program: PathBuf, rig: &Rig, input: &Json) -> Json {
    // No port: one that nobody listens at yet may connect to itself, and is then taken.
    let socket = rig.path("opa.sock");
    let address = format!("unix://{}", socket.display());
    let mut command = Command::new(program);
    command.args(["run", "--server", "--addr", &address, "--set", "decision_logs.console=true"]);
    command.arg(rig.path("policies")).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = Opa(command.spawn().unwrap());
    let stderr = child.0.stderr.take().unwrap();
    let (sender, events) = std::sync::mpsc::channel();
    // Read to its end: a program whose output nobody takes is ended.
    std::thread::spawn(move || {
        let lines = BufReader::new(stderr).lines().map_while(Result::ok);
        for line in lines.filter_map(|line| serde_json::from_str::<Json>(&line).ok()) {
            if line.get("result").is_some() {
                let _ = sender.send(line);
            }
        }
    });
    let body = json!({"input": input}).to_string();
    eventually("OPA answers", async || {
        let mut stream = tokio::net::UnixStream::connect(&socket).await.ok()?;
        let length = body.len();
        let head = format!("POST /v1/data/authz/decision HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.contains("\"result\"").then_some(())
    })
    .await;
    tokio::task::spawn_blocking(move || events.recv_timeout(Duration::from_secs(20)).unwrap()).await.unwrap()
}

#[tokio::test]
async fn opas_own_log_has_the_same_members_places_and_masks() {
    let Some(program) = opa().filter(|_| has("opa") || env::var_os("VERDICT_TEST_OPA").is_some()) else {
        return skipped("opa", "no opa (name it in VERDICT_TEST_OPA)");
    };
    let rig = Rig::new("opa: {type: file, path: DIR/opa.log, format: opa}", &[("log.rego", MASK)]);
    let context = json!({"ssn": "1", "name": "Bob", "list": [1, 2, 3], "note": "n", "sensitive": true, "path": true});
    let mut server = rig.ready().await;
    let (_, id) = ask(&server, "alice", &context).await;
    stop(&mut server).await;
    let ours = rig.lines("opa.log").remove(0);
    let theirs = logged_by_opa(program, &rig, &question("alice", &context)).await;

    assert_eq!(ours["decision_id"], json!(id));
    for member in ["input", "path", "erased", "masked"] {
        let sorted = |json: &Json| match json {
            Json::Array(items) if member != "input" => {
                let mut items: Vec<String> = items.iter().map(Json::to_string).collect();
                items.sort();
                json!(items)
            }
            other => other.clone(),
        };
        assert_eq!(sorted(&ours[member]), sorted(&theirs[member]), "{member}\nours: {ours:#}\ntheirs: {theirs:#}");
    }
    assert!(ours["requested_by"].as_str().unwrap().starts_with("127.0.0.1:"), "{ours:#}");
    assert_eq!(ours["result"]["allow"], theirs["result"]["allow"]);
    let kind = |json: &Json| std::mem::discriminant(json);
    // What OPA's logger adds to an event on its console, and what is of its own door.
    let theirs_only = ["level", "msg", "time", "type", "req_id"];
    for (name, value) in theirs.as_object().unwrap() {
        if !theirs_only.contains(&name.as_str()) {
            let our = ours.get(name).unwrap_or_else(|| panic!("OPA has `{name}`: {theirs:#}"));
            assert_eq!(kind(our), kind(value), "{name}");
        }
    }
    assert!(ours["labels"]["id"].is_string() && ours["labels"]["version"].is_string());
    assert!(
        theirs["metrics"]["timer_server_handler_ns"].is_u64() && ours["metrics"]["timer_server_handler_ns"].is_u64()
    );
    for timestamp in [&ours["timestamp"], &theirs["timestamp"]] {
        let text = timestamp.as_str().unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(text).is_ok() && text.ends_with('Z'), "{text}");
    }
}
