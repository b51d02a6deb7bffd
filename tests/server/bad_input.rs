//! Every row of "Bad input, and what it gets".

use std::time::Duration;

use prost::Message as _;
use tonic::Code;
use tonic_types::StatusExt as _;
use verdict::api::grpc::proto::{Action, CheckRequest, Effect, Resource, Subject};

use crate::{
    raw,
    support::{
        ALWAYS, Ask as _, Folder, Serve, assert_denied, assert_invalid, assert_refused, object, question, run,
        subject_of, to, verdict,
    },
};

const QUESTION: &str =
    r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"document","id":"1"}}"#;

#[tokio::test]
async fn an_empty_question_names_every_field() {
    let server = Serve::embedded().ready().await;
    let status = server.refusal(CheckRequest::default()).await;
    assert_eq!(assert_invalid(&status), ["subject", "action", "resource"]);
    let status = server
        .refusal(CheckRequest {
            subject: Some(Subject::default()),
            action: Some(Action::default()),
            resource: Some(Resource::default()),
            ..CheckRequest::default()
        })
        .await;
    let fields = ["subject.type", "subject.id", "action.name", "resource.type", "resource.id"];
    assert_eq!(assert_invalid(&status), fields);
    for field in fields {
        let mut question = question();
        match field {
            "subject.type" => question.subject.as_mut().unwrap().r#type.clear(),
            "subject.id" => question.subject.as_mut().unwrap().id.clear(),
            "action.name" => question.action.as_mut().unwrap().name.clear(),
            "resource.type" => question.resource.as_mut().unwrap().r#type.clear(),
            _ => question.resource.as_mut().unwrap().id.clear(),
        }
        assert_eq!(assert_invalid(&server.refusal(question).await), [field]);
    }
    let partly = CheckRequest { subject: Some(subject_of("user:alice")), ..CheckRequest::default() };
    assert_eq!(assert_invalid(&server.refusal(partly).await), ["action", "resource"]);
    let long = CheckRequest { request_id: "x".repeat(257), ..question() };
    assert_eq!(assert_invalid(&server.refusal(long).await), ["request_id"]);
    assert_eq!(server.metric(r#"verdict_call_errors_total{reason="INVALID_QUERY"}"#).await, Some(9.0));
}

#[tokio::test]
async fn a_malformed_query_json_names_its_faults() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let asked = |json: &[u8]| CheckRequest { query_json: json.to_vec(), ..CheckRequest::default() };
    for json in [
        &b"{"[..],
        b"[]",
        b"null",
        b"{}{}",
        b"\xff\xfe",
        b"\0",
        b"\xef\xbb\xbf{}",
        br#"{"subject":{"type":"a","type":"b"}}"#,
        br#"{"subject":{},"subject":{}}"#,
        br#"{"context":{"n":1e999999999999}}"#,
        br#"{"context":{"n":NaN}}"#,
        br#"{"context":{"n":01}}"#,
        b"{\"context\":{\"s\":\"\xc3\x28\"}}",
        br#"{"context":{"s":"\ud800"}}"#,
    ] {
        let status = server.refusal(asked(json)).await;
        assert_eq!(assert_invalid(&status), ["query_json"], "{}", String::from_utf8_lossy(json));
    }
    assert_eq!(assert_invalid(&server.refusal(asked(b"{}")).await), ["subject", "action", "resource"]);
    let wrong = br#"{"subject":{"id":""},"action":{"name":5},"resource":7,"context":[]}"#;
    let mut fields = assert_invalid(&server.refusal(asked(wrong)).await);
    fields.sort();
    assert_eq!(fields, ["action.name", "context", "resource", "subject.id", "subject.type"]);
    server.unharmed().await;
}

#[tokio::test]
async fn query_json_and_fields_are_not_taken_together() {
    let server = Serve::embedded().ready().await;
    let both = CheckRequest { query_json: QUESTION.into(), ..question() };
    assert_eq!(assert_invalid(&server.refusal(both).await), ["subject", "action", "resource"]);
    let both = CheckRequest {
        query_json: QUESTION.into(),
        context: Some(object(serde_json::json!({"a": 1}))),
        ..CheckRequest::default()
    };
    assert_eq!(assert_invalid(&server.refusal(both).await), ["context"]);
}

#[tokio::test]
async fn nesting_is_taken_to_64_and_no_deeper() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let base = CheckRequest { context: None, ..to(ALWAYS) }.encode_to_vec();
    for (depth, taken) in [(64, true), (65, false), (5_000, false), (20_000, false)] {
        for nested in [raw::nested(depth), raw::nested_lists(depth - 1)] {
            let answer = raw::check(&server, &[base.clone(), raw::field(4, &nested)].concat()).await;
            if taken {
                assert_eq!(answer.status().code(), Code::Ok, "{depth}: {:?}", answer.status());
            } else {
                assert_eq!(assert_invalid(answer.status()), ["context"], "{depth}");
            }
        }
        let properties = [base.clone(), raw::field(1, &raw::field(3, &raw::nested(depth)))].concat();
        let answer = raw::check(&server, &properties).await;
        if !taken {
            assert_eq!(assert_invalid(answer.status()), ["subject.properties"], "{depth}");
        }
        let json = |depth: usize| {
            let context = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
            let json = format!("{},\"context\":{context}}}", QUESTION.strip_suffix('}').unwrap());
            CheckRequest { query_json: json.into(), policy: ALWAYS.to_owned(), ..CheckRequest::default() }
        };
        if taken {
            assert_eq!(server.ask(json(depth)).await.effect(), Effect::Allow);
        } else {
            let fields = assert_invalid(&server.refusal(json(depth)).await);
            assert!(fields == ["context"] || fields == ["query_json"], "{depth}: {fields:?}");
        }
    }
    server.unharmed().await;
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    for garbage in [
        &b"garbage"[..],
        &[0xff; 100],
        &[0x0a, 0x7f],
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x32, 0x02, 0xc3, 0x28],             // `policy` is not UTF-8
        &[0x08, 0x01],                         // `subject` as a varint
        &[0x00],                               // field number 0
        &[0x7b],                               // a group that never ends
        &[0x22, 0x05, 0x0a, 0x7f, 0x01, 0, 0], // a Struct that ends in the middle of an entry
    ] {
        for method in ["Check", "BatchCheck", "CheckStream"] {
            let answer = raw::call(&server, method, raw::frame(garbage), &[]).await;
            // Some of it is a message of another of the three, with unknown fields.
            if answer.status().code() == Code::InvalidArgument && method != "Check" {
                let reason = answer.status().get_details_error_info().expect("an ErrorInfo").reason;
                assert!(["MALFORMED_MESSAGE", "INVALID_QUERY"].contains(&reason.as_str()), "{reason}");
                continue;
            }
            if method == "Check" {
                assert_refused(answer.status(), Code::InvalidArgument, "MALFORMED_MESSAGE");
            } else {
                assert_eq!(answer.status().code(), Code::Ok, "{method} {garbage:?}: {:?}", answer.status());
            }
        }
    }
    server.unharmed().await;
}

#[tokio::test]
async fn a_message_over_the_limit_exhausts_nothing_but_itself() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let mut client = server.client().await;
    let large = CheckRequest { query_json: vec![b' '; (1 << 20) + 1], ..CheckRequest::default() };
    let status = client.check(large.clone()).await.unwrap_err();
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    let stream = vec![verdict::api::grpc::proto::CheckStreamRequest { question: Some(large) }];
    let mut answers = client.check_stream(tokio_stream::iter(stream)).await.unwrap().into_inner();
    let status = answers.message().await.unwrap_err();
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    // One that only says that it is large is refused before it comes, and on the same connection all goes on.
    let lie = raw::call(&server, "Check", raw::frame_with(0, u32::MAX, b""), &[]).await;
    assert_refused(lie.status(), Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
    // Just below the limit it is read.
    let mut padded = QUESTION.to_owned();
    padded.push_str(&" ".repeat((1 << 20) - padded.len() - 64));
    let full = CheckRequest { query_json: padded.into(), policy: ALWAYS.to_owned(), ..CheckRequest::default() };
    assert_eq!(client.ask(full).await.effect(), Effect::Allow);
}

#[tokio::test]
async fn the_limit_of_a_message_is_configurable() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).env("VERDICT_GRPC_MAX_MESSAGE_BYTES", "2KiB").ready().await;
    let large = CheckRequest { query_json: vec![b' '; 4_096], ..CheckRequest::default() };
    let status = server.refusal(large).await;
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert!(status.message().contains("2048"), "{status:?}");
    server.unharmed().await;
}

#[tokio::test]
async fn an_unknown_entry_point_is_denied_and_the_log_says_which_exist() {
    let folder = Folder::always(&[("b.rego", "package b.c\n\nallow := true\n")]);
    let server = Serve::folder(&folder).ready().await;
    for policy in ["data.nothing", "data.always.other", "data.b", r#"data["always.decision"]"#] {
        assert_denied(&server.ask(to(policy)).await, "no_decision");
    }
    // The default policy does not exist here.
    assert_denied(&server.ask(question()).await, "no_decision");
    let line = server.logged("policies active").await;
    assert_eq!(line["entry_points"], "data.always data.b.c");
    let line = server.logged("there is no such rule or package").await;
    assert_eq!(line["default_policy"], "data.authz");
}

#[tokio::test]
async fn a_malformed_policy_reference_is_the_callers_fault() {
    let server = Serve::embedded().ready().await;
    for policy in [
        "authz",
        "data",
        "data.",
        "data..authz",
        "data.authz.decision with input as {}",
        "data.authz.decision; true",
        "data.authz[_]",
        "data.authz[x]",
        "data[\"authz\"",
        "data.authz\n",
        " data.authz",
        "input.allow",
        "data.authz.decision#",
        "true",
        "data.authz[\"decision\"] == false",
        &format!("data.{}", "a".repeat(600)),
    ] {
        assert_eq!(assert_invalid(&server.refusal(to(policy)).await), ["policy"], "{policy:?}");
    }
}

/// One rule for each way of going wrong, and the code that the contract has for it.
const FAULTY: &str = r#"package faulty

undefined_rule if false

number := 1

text := "true"

list := [true]

nothing := null

no_allow := {"reasons": ["x"]}

allow_text := {"allow": "true"}

allow_number := {"allow": 1}

contradiction := {"allow": true, "decision": false}

bad_reasons := {"allow": true, "reasons": 7}

bad_obligation := {"allow": true, "obligations": [{"id": 5}]}

bad_ttl := {"allow": true, "ttl": -1}

endless_ttl := {"allow": true, "ttl": 1e300}

bad_scopes := {"allow": true, "required_scopes": [1]}

bad_step_up := {"allow": true, "step_up": []}

bad_context := {"allow": true, "context": "x"}

set_of_true contains true

conflict := true if input.subject.id == "alice"

conflict := false if input.action.name == "read"

slow := count([1 |
	some i in numbers.range(1, 3000)
	some j in numbers.range(1, 3000)
	i * j == -1
]) == 0

slow_function if crawl(3000)

crawl(n) if count([1 |
	some i in numbers.range(1, n)
	some j in numbers.range(1, n)
	i * j == -1
]) == 0
"#;

#[tokio::test]
async fn a_rule_that_gives_no_decision_is_denied_with_the_contracts_code() {
    let folder = Folder::always(&[("faulty.rego", FAULTY)]);
    let server = Serve::folder(&folder).env("VERDICT_POLICIES_EVALUATION_BUDGET", "100ms").ready().await;
    for (rule, code) in [
        ("undefined_rule", "no_decision"),
        ("number", "invalid_decision"),
        ("text", "invalid_decision"),
        ("list", "invalid_decision"),
        ("nothing", "invalid_decision"),
        ("no_allow", "invalid_decision"),
        ("allow_text", "invalid_decision"),
        ("allow_number", "invalid_decision"),
        ("contradiction", "invalid_decision"),
        ("bad_reasons", "invalid_decision"),
        ("bad_obligation", "invalid_decision"),
        ("bad_ttl", "invalid_decision"),
        ("endless_ttl", "invalid_decision"),
        ("bad_scopes", "invalid_decision"),
        ("bad_step_up", "invalid_decision"),
        ("bad_context", "invalid_decision"),
        ("set_of_true", "invalid_decision"),
        ("conflict", "evaluation_error"),
        ("slow", "budget_exceeded"),
        ("slow_function", "budget_exceeded"),
    ] {
        // Twice: an error must leave nothing behind.
        for _ in 0..2 {
            let answer = server.ask(to(&format!("data.faulty.{rule}"))).await;
            assert_denied(&answer, code);
            if code != "no_decision" {
                assert_eq!(answer.diagnostics[0].code, code, "{rule}");
            }
            assert_eq!(server.ask(to(ALWAYS)).await.effect(), Effect::Allow, "after {rule}");
        }
    }
    server.unharmed().await;
}

#[tokio::test]
async fn a_folder_without_policies_is_waited_for() {
    let folder = Folder::empty();
    let server = Serve::folder(&folder).listening().await;
    server.logged("no policies are active").await;
    assert_eq!(server.health("").await, Ok(2));
    assert_eq!(server.health("verdict.v1.DecisionService").await, Ok(2));
    let status = server.refusal(question()).await;
    assert_refused(&status, Code::Unavailable, "POLICIES_NOT_READY");
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
    let (code, body) = server.readiness().await;
    assert_eq!((code, body["status"].as_str()), (503, Some("not_ready")), "{body}");
    assert!(body["last_reload_error"].to_string().contains("no policies"), "{body}");
    assert!(body.get("revision").is_none(), "{body}");
    assert_eq!(server.http("GET", "/health/live").await.0, 200);
    folder.write("always.rego", "package always\n\ndecision := true\n");
    server.until_serving().await;
    let (code, body) = server.readiness().await;
    assert_eq!((code, body["status"].as_str()), (200, Some("ready")), "{body}");
    assert!(body.get("last_reload_error").is_none(), "{body}");
    server.unharmed().await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_waited_for() {
    let folder = Folder::empty();
    let path = folder.join("later");
    let server = Serve::embedded().arg("--policies").arg(path.to_str().unwrap()).listening().await;
    let line = server.logged("no policies are active").await;
    assert!(line["message"].as_str().unwrap().contains("does not exist"), "{line}");
    assert_eq!(server.health("").await, Ok(2));
    folder.write("later/always.rego", "package always\n\ndecision := true\n");
    server.until_serving().await;
    server.unharmed().await;
}

#[tokio::test]
async fn a_broken_file_at_the_start_is_shown_and_waited_for() {
    let folder = Folder::always(&[("authz/broken.rego", "package authz\n\nallow if { input.x == }\n")]);
    let server = Serve::folder(&folder).listening().await;
    let line = server.logged("no policies are active").await;
    let text = line["message"].as_str().unwrap();
    for part in ["authz/broken.rego:3:", "allow if { input.x == }", "^"] {
        assert!(text.contains(part), "`{part}` in {text}");
    }
    let status = server.refusal(question()).await;
    assert_refused(&status, Code::Unavailable, "POLICIES_NOT_READY");
    let (code, body) = server.readiness().await;
    assert_eq!(code, 503);
    assert!(body["last_reload_error"].to_string().contains("authz/broken.rego:3:"), "{body}");
    assert_eq!(server.metric(r#"verdict_reloads_total{result="failed"}"#).await, Some(1.0));
    folder.write("authz/broken.rego", "package authz\n\nallow if { input.x == 1 }\n");
    server.until_serving().await;
    server.unharmed().await;
}

#[test]
fn strict_ends_on_a_broken_file_at_the_start() {
    let folder = Folder::with(&[("broken.rego", "package a\n\nallow if {\n")]);
    let ended = Serve::folder(&folder).arg("--strict").run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    for part in ["--strict", "broken.rego:", "^"] {
        assert!(ended.stderr.contains(part), "`{part}` in {}", ended.stderr);
    }
    assert_eq!(ended.stdout, "");
    let ended = Serve::folder(&Folder::empty()).arg("--strict").run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains("no policies"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_broken_file_later_changes_nothing_but_what_is_told() {
    let good = "package a\n\ndecision := true\n";
    let folder = Folder::with(&[("a.rego", good)]);
    let server = Serve::folder(&folder).ready().await;
    let before = server.ask(to("data.a")).await;
    assert_eq!(server.metric("verdict_policy_last_reload_successful").await, Some(1.0));

    for (times, broken, shown) in [
        (1.0, "package a\n\ndecision := \n", "a.rego:"),
        (2.0, "package a\n\ndecision := nonsense(1)\n", "a.rego:3:13"),
        (3.0, "package a\n\ndecision if x == 1\n", "a.rego:3:13"),
    ] {
        folder.write("a.rego", broken);
        let failed = r#"verdict_reloads_total{result="failed"}"#;
        crate::support::eventually("the failure is counted", async || {
            (server.metric(failed).await == Some(times)).then_some(())
        })
        .await;
        let after = server.ask(to("data.a")).await;
        assert_eq!((after.effect(), &after.revision), (Effect::Allow, &before.revision));
        let (code, body) = server.readiness().await;
        assert_eq!((code, body["status"].as_str()), (200, Some("ready")), "{body}");
        assert!(body["last_reload_error"].to_string().contains(shown), "{body}");
        assert_eq!(body["revision"]["sequence"], 1);
        assert_eq!(server.health("").await, Ok(1));
        assert_eq!(server.metric("verdict_policy_last_reload_successful").await, Some(0.0));
        let line = server.logged_where(shown, |line| {
            line["message"].as_str().is_some_and(|text| text.contains("reload failed") && text.contains(shown))
        });
        assert!(line.await["message"].as_str().unwrap().contains('^'));
    }

    // Mended to what is already active: nothing to load, nothing wrong any more.
    folder.write("a.rego", good);
    let recovered = async || server.readiness().await.1.get("last_reload_error").is_none().then_some(());
    crate::support::eventually("it recovers", recovered).await;
    assert_eq!(server.metric("verdict_policy_last_reload_successful").await, Some(1.0));
    assert_eq!(server.ask(to("data.a")).await.revision, before.revision);

    // And mended to something else.
    folder.write("a.rego", "package a\n\ndecision :=\n");
    crate::support::eventually("the failure is shown", async || {
        server.readiness().await.1.get("last_reload_error").map(|_| ())
    })
    .await;
    folder.write("a.rego", "package a\n\ndecision := false\n");
    crate::support::eventually("it is taken", async || {
        let verdict = server.ask(to("data.a")).await;
        (verdict.effect() == Effect::Deny).then_some(())
    })
    .await;
    let after = server.ask(to("data.a")).await;
    assert!(after.revision.unwrap().sequence > before.revision.unwrap().sequence);
    assert!(server.readiness().await.1.get("last_reload_error").is_none());
}

#[tokio::test]
async fn a_port_that_is_taken_is_one_clear_message() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = Serve::embedded().grpc(address.as_str()).run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains(&address) && ended.stderr.contains("another process has it"), "{}", ended.stderr);
    let ended = Serve::embedded().env("VERDICT_HTTP_ADDRESS", "").run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
}

#[test]
fn wrong_usage_and_configuration_end_with_64_and_say_why() {
    let folder = Folder::empty();
    let file = |name: &str, text: &str| {
        folder.write(name, text);
        folder.join(name).to_str().unwrap().to_owned()
    };
    let unknown = file("unknown.yaml", "grpc:\n  adress: 127.0.0.1:0\nlog:\n  level: loud\n");
    let broken = file("broken.yaml", "grpc: [\n");
    let toml = file("wrong.toml", "[server]\ndrain_timeout = 5\n");
    for (arguments, said) in [
        (vec!["serve", "--nonsense"], vec!["--nonsense"]),
        (vec!["serve", "--grpc", "nowhere"], vec!["nowhere", "--grpc"]),
        (vec!["serve", "--grpc", "127.0.0.1:99999"], vec!["99999"]),
        (vec!["serve", "--default-policy", "authz"], vec!["authz", "--default-policy"]),
        (vec!["serve", "--log-level", "loud"], vec!["loud", "--log-level"]),
        (vec!["serve", "--config", "/nowhere/verdict.yaml"], vec!["/nowhere/verdict.yaml"]),
        (vec!["serve", "--config", &unknown], vec!["grpc.adress", "grpc.address", "log.level"]),
        (vec!["serve", "--config", &broken], vec!["broken.yaml"]),
        (vec!["serve", "--config", &toml], vec!["server.drain_timeout"]),
        (vec!["serve", "--config", &unknown, "--check-config"], vec!["grpc.adress"]),
        (vec!["nonsense"], vec!["nonsense"]),
        (vec![], vec!["Usage"]),
    ] {
        let ended = run(verdict().args(&arguments));
        assert_eq!(ended.code, Some(64), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        for part in said {
            assert!(ended.stderr.contains(part), "`{part}` in {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}
