//! `Check`: what a question's answer says.

use std::collections::HashSet;

use serde_json::json;
use verdict::api::grpc::proto::{CheckRequest, Effect, ExplainMode};

use crate::support::{ALWAYS, Ask as _, Folder, Serve, asking, assert_denied, codes, object, question, to};

/// Where the answer to `subject` is allowed only if the number is the very one.
const NUMBERS: &str = "package numbers

decision := input.context.n == 9007199254740993

big := input.context.n == 123456789012345678901234567890

half := input.context.n == 0.5

kind := {\"allow\": true, \"context\": {\"type\": type_name(input.context.n)}}
";

fn json_question(policy: &str, n: &str) -> CheckRequest {
    let json = format!(
        r#"{{"subject":{{"type":"user","id":"alice"}},"action":{{"name":"read"}},
            "resource":{{"type":"document","id":"1"}},"context":{{"n":{n}}}}}"#
    );
    CheckRequest { query_json: json.into(), policy: policy.to_owned(), ..CheckRequest::default() }
}

#[tokio::test]
async fn the_embedded_policies_allow_and_deny_with_reasons() {
    let server = Serve::embedded().ready().await;
    let mut client = server.client().await;
    let allowed = client.ask(asking("user:alice", "read", "document:handbook")).await;
    assert_eq!(allowed.effect(), Effect::Allow, "{allowed:?}");
    assert_eq!(codes(&allowed), ["role_grants_action"]);
    let denied = client.ask(asking("user:bob", "delete", "document:handbook")).await;
    assert_denied(&denied, "no_role_grants_action");
    let reason = &denied.reasons[0];
    assert!(reason.rule.starts_with("data."), "{reason:?}");
    let revision = denied.revision.as_ref().unwrap();
    assert_eq!(revision.sequence, 1);
    assert_eq!(revision.digest.len(), "sha256:".len() + 64);
    assert_eq!(allowed.revision, denied.revision);
    let (_, body) = server.readiness().await;
    assert_eq!(body["revision"]["digest"], revision.digest.as_str());
}

#[tokio::test]
async fn the_corpus_of_the_embedded_policies_is_answered_as_it_says() {
    let server = Serve::embedded().ready().await;
    let mut client = server.client().await;
    let corpus: Vec<serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string("policies/questions.json").unwrap()).unwrap();
    assert!(!corpus.is_empty());
    for entry in corpus {
        let policy = entry["policy"].as_str().unwrap_or_default().to_owned();
        let query_json = entry["query"].to_string().into_bytes();
        let by_json = client.ask(CheckRequest { query_json, policy: policy.clone(), ..CheckRequest::default() }).await;
        let effect = if entry["effect"] == "allow" { Effect::Allow } else { Effect::Deny };
        assert_eq!(by_json.effect(), effect, "{entry}: {by_json:?}");
        let wanted: HashSet<&str> =
            entry["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
        assert_eq!(codes(&by_json).into_iter().collect::<HashSet<_>>(), wanted, "{entry}");
        // The same question in fields.
        let query = &entry["query"];
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let properties = |value: &serde_json::Value| value.get("properties").cloned().map(object);
        let mut question = asking(
            &format!("{}:{}", text(&query["subject"]["type"]), text(&query["subject"]["id"])),
            &text(&query["action"]["name"]),
            &format!("{}:{}", text(&query["resource"]["type"]), text(&query["resource"]["id"])),
        );
        question.subject.as_mut().unwrap().properties = properties(&query["subject"]);
        question.action.as_mut().unwrap().properties = properties(&query["action"]);
        question.resource.as_mut().unwrap().properties = properties(&query["resource"]);
        question.context = query.get("context").cloned().map(object);
        let by_fields = client.ask(CheckRequest { policy, ..question }).await;
        assert_eq!(by_fields.effect(), by_json.effect(), "{entry}");
        assert_eq!(by_fields.reasons, by_json.reasons, "{entry}");
        assert_eq!(by_fields.context, by_json.context, "{entry}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let server = Serve::embedded().ready().await;
    let mut client = server.client().await;
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let id = uuid::Uuid::parse_str(&client.ask(question()).await.decision_id).unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert!(seen.insert(id));
    }
}

#[tokio::test]
async fn a_request_id_comes_back_as_it_was() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let long = "x".repeat(256);
    for id in ["", "1", "a b\r\nc: d\0", "ü\u{202e}", "{\"a\":1}", &long] {
        let answer = server.ask(CheckRequest { request_id: id.to_owned(), ..to(ALWAYS) }).await;
        assert_eq!(answer.request_id, id);
    }
    for line in server.lines() {
        assert!(line.is_object(), "a line of the log that the caller wrote: {line}");
    }
}

#[tokio::test]
async fn numbers_of_query_json_reach_the_policy_to_the_last_digit() {
    let folder = Folder::with(&[("numbers.rego", NUMBERS)]);
    let server = Serve::folder(&folder).ready().await;
    for (policy, n, allowed) in [
        ("data.numbers", "9007199254740993", true),
        ("data.numbers", "9007199254740993.0", true),
        ("data.numbers", "9007199254740992", false),
        ("data.numbers", "9007199254740994", false),
        ("data.numbers", "\"9007199254740993\"", false),
        ("data.numbers.big", "123456789012345678901234567890", true),
        ("data.numbers.big", "123456789012345678901234567891", false),
        ("data.numbers.big", "1.2345678901234567890123456789e29", true),
        ("data.numbers.half", "0.5", true),
        ("data.numbers.half", "5e-1", true),
        ("data.numbers.half", "0.50000000000000000000", true),
    ] {
        let answer = server.ask(json_question(policy, n)).await;
        assert_eq!(answer.effect() == Effect::Allow, allowed, "{policy} {n}: {answer:?}");
    }
    // A Struct's double can't say it: what is asked is another number, and the policy sees that.
    let rounded = CheckRequest { context: Some(object(json!({"n": 9_007_199_254_740_993_u64}))), ..to("data.numbers") };
    assert_eq!(server.ask(rounded).await.effect(), Effect::Deny);
    // A small integer is the same number either way.
    let kind = async |question: CheckRequest| server.ask(question).await.context;
    let by_struct = CheckRequest { context: Some(object(json!({"n": 3}))), ..to("data.numbers.kind") };
    assert_eq!(kind(by_struct).await, kind(json_question("data.numbers.kind", "3")).await);
}

#[tokio::test]
async fn a_policy_sees_the_question_and_nothing_else() {
    let policy = "package seen

decision := {\"allow\": true, \"context\": {\"input\": input}}
";
    let folder = Folder::with(&[("seen.rego", policy)]);
    let server = Serve::folder(&folder).ready().await;
    let mut asked = CheckRequest { request_id: "mine".to_owned(), ..to("data.seen") };
    asked.subject.as_mut().unwrap().properties = Some(object(json!({"a": [1, 2.5, null, true, {"b": "c"}]})));
    asked.context = Some(object(json!({"": 0, "token": {"sub": "admin"}})));
    let seen = json!({
        "subject": {"type": "user", "id": "alice", "properties": {"a": [1, 2.5, null, true, {"b": "c"}]}},
        "action": {"name": "read", "properties": {}},
        "resource": {"type": "document", "id": "handbook", "properties": {}},
        "context": {"": 0, "token": {"sub": "admin"}},
    });
    assert_eq!(server.ask(asked).await.context, Some(object(json!({"input": seen}))));
    // Only Verdict says who the caller is and what a token claims.
    let hostile = br#"{"subject":{"type":"user","id":"alice","roles":["admin"]},"action":{"name":"read"},
        "resource":{"type":"document","id":"1"},"token":{"sub":"admin"},"caller":{"id":"me"},"data":{}}"#;
    let asked = CheckRequest { query_json: hostile.to_vec(), policy: "data.seen".into(), ..CheckRequest::default() };
    let seen = json!({
        "subject": {"type": "user", "id": "alice", "properties": {}},
        "action": {"name": "read", "properties": {}},
        "resource": {"type": "document", "id": "1", "properties": {}},
        "context": {},
    });
    assert_eq!(server.ask(asked).await.context, Some(object(json!({"input": seen}))));
}

#[tokio::test]
async fn an_explanation_is_given_to_who_asks_for_it() {
    let folder = Folder::with(&[(
        "a.rego",
        "package a\n\ndefault allow := false\n\nallow if owner\n\nowner if input.subject.id == \"alice\"\n\ncount_of := 3\n",
    )]);
    let server = Serve::folder(&folder).ready().await;
    for mode in [ExplainMode::Unspecified, ExplainMode::Off] {
        let answer = server.ask(CheckRequest { explain: mode.into(), ..to("data.a") }).await;
        assert_eq!(answer.explanation, None);
    }
    let explained = async |question: CheckRequest| {
        let answer = server.ask(CheckRequest { explain: ExplainMode::On.into(), ..question }).await;
        let rules = answer.explanation.as_ref().unwrap().rules.clone();
        let rules: Vec<_> = rules.into_iter().map(|rule| (rule.rule, rule.defined, rule.value_json)).collect();
        (answer.effect(), rules)
    };
    let rule = |name: &str, value: Option<&str>| {
        (format!("data.a.{name}"), value.is_some(), value.unwrap_or_default().to_owned())
    };
    assert_eq!(
        explained(to("data.a")).await,
        (Effect::Allow, vec![rule("allow", Some("true")), rule("owner", Some("true"))])
    );
    assert_eq!(
        explained(CheckRequest { policy: "data.a".into(), ..asking("user:bob", "read", "document:1") }).await,
        (Effect::Deny, vec![rule("allow", Some("false")), rule("owner", None)])
    );
    // What the answer did not reach is not in it; and the answer is the same, explained or not.
    assert_eq!(explained(to("data.a.count_of")).await.0, Effect::Deny);
    let denied = CheckRequest { policy: "data.a".into(), ..asking("user:bob", "read", "document:1") };
    let answer = server.ask(CheckRequest { explain: ExplainMode::On.into(), ..denied }).await;
    let missed = &answer.explanation.as_ref().unwrap().missed[0];
    assert_eq!((missed.rule.as_str(), missed.needed_by[0].rule.as_str()), ("data.a.owner", "data.a.allow"));
    let condition = missed.conditions.last().unwrap();
    assert_eq!((condition.position.as_ref().unwrap().line, condition.message.as_str()), (7, "`bob` is not `alice`"));
    assert_eq!(condition.values[0].value_json, "\"bob\"");
}

#[tokio::test]
async fn an_explanation_hides_what_is_configured() {
    let folder = Folder::with(&[("a.rego", "package a\n\nallow if input.subject.id == \"alice\"\n")]);
    let server = Serve::folder(&folder).env("VERDICT_EXPLAIN_REDACT", "input.subject.id").ready().await;
    let asked = CheckRequest { policy: "data.a".into(), ..asking("user:robert", "read", "document:1") };
    let answer = server.ask(CheckRequest { explain: ExplainMode::On.into(), ..asked }).await;
    let explanation = format!("{:?}", answer.explanation.unwrap());
    assert!(explanation.contains("[redacted]") && !explanation.contains("robert"), "{explanation}");
}

#[tokio::test]
async fn every_member_of_a_decision_is_passed_on() {
    let policy = r#"package full

decision := {
	"allow": true,
	"reasons": [{"code": "because", "message": "for operators", "user_message": "for you", "ticket": 7}, "plain"],
	"obligations": [{"id": "log-access", "type": "audit", "properties": {"level": "high"}}],
	"required_scopes": {"b", "a"},
	"step_up": {"acr_values": ["phr"], "max_age": 300},
	"context": {"big": 9007199254740993, "n": 1, "s": "x"},
	"ttl": 1.5,
}
"#;
    let folder = Folder::with(&[("full.rego", policy)]);
    let server = Serve::folder(&folder).ready().await;
    let answer = server.ask(to("data.full")).await;
    assert_eq!(answer.effect(), Effect::Allow);
    let reason = &answer.reasons[0];
    assert_eq!((&*reason.code, &*reason.message, &*reason.user_message), ("because", "for operators", "for you"));
    assert_eq!(reason.properties, Some(object(json!({"ticket": 7}))));
    assert_eq!(reason.rule, "data.full.decision");
    let position = reason.position.as_ref().unwrap();
    assert_eq!((&*position.file, position.line), ("full.rego", 3));
    assert_eq!(answer.reasons[1].code, "plain");
    let obligation = &answer.obligations[0];
    assert_eq!((&*obligation.id, &*obligation.r#type), ("log-access", "audit"));
    assert_eq!(obligation.properties, Some(object(json!({"level": "high"}))));
    assert_eq!(answer.required_scopes, ["a", "b"]);
    let step_up = answer.step_up.as_ref().unwrap();
    assert_eq!(step_up.acr_values, ["phr"]);
    assert_eq!(step_up.max_age.unwrap().seconds, 300);
    assert_eq!(answer.context, Some(object(json!({"big": "9007199254740993", "n": 1, "s": "x"}))));
    let ttl = answer.ttl.unwrap();
    assert_eq!((ttl.seconds, ttl.nanos), (1, 500_000_000));
    assert!(answer.diagnostics.is_empty());
}

#[tokio::test]
async fn a_package_in_the_words_of_opa_is_read_as_it_is() {
    let policy = "package opa

default allow := false

allow if input.subject.type == \"user\"

deny contains \"no robots\" if input.subject.id == \"robot\"

deny contains \"bad_action\" if input.action.name == \"delete\"
";
    let folder = Folder::with(&[("opa.rego", policy)]);
    let server = Serve::folder(&folder).ready().await;
    let ask = async |question: CheckRequest| server.ask(CheckRequest { policy: "data.opa".into(), ..question }).await;
    assert_eq!(ask(asking("user:alice", "read", "x:1")).await.effect(), Effect::Allow);
    assert_denied(&ask(asking("agent:alice", "read", "x:1")).await, "policy_denied");
    assert_denied(&ask(asking("user:alice", "delete", "x:1")).await, "bad_action");
    let denied = ask(asking("user:robot", "read", "x:1")).await;
    assert_denied(&denied, "policy_denied");
    assert_eq!(denied.reasons[0].message, "no robots");
}

#[tokio::test]
async fn the_default_policy_is_the_configured_one() {
    let folder = Folder::with(&[("a.rego", "package a.b\n\ndecision := true\n")]);
    for policy in ["data.a.b", "data.a.b.decision", r#"data["a"].b"#] {
        let server = Serve::folder(&folder).arg("--default-policy").arg(policy).ready().await;
        assert_eq!(server.ask(question()).await.effect(), Effect::Allow);
    }
}

#[tokio::test]
async fn rego_v0_is_read_if_asked_for() {
    let v0 =
        "package old\n\nallow { input.subject.id == \"alice\" }\n\ndeny[\"no\"] { input.action.name == \"delete\" }\n";
    let v1 = "package new\n\nimport rego.v1\n\nallow if input.subject.id == \"alice\"\n";
    let folder = Folder::with(&[("v0.rego", v0), ("v1.rego", v1)]);
    let server = Serve::folder(&folder).arg("--rego-v0").ready().await;
    for policy in ["data.old", "data.new"] {
        assert_eq!(server.ask(to(policy)).await.effect(), Effect::Allow, "{policy}");
    }
    let deleting = CheckRequest { policy: "data.old".into(), ..asking("user:alice", "delete", "x:1") };
    assert_denied(&server.ask(deleting).await, "no");
    let server = Serve::folder(&folder).listening().await;
    let line = server.logged("no policies are active").await;
    assert!(line["message"].as_str().unwrap().contains("v0.rego:3:"), "{line}");
}

mod deadline {
    //! `grpc-timeout`, set by hand: tonic's client keeps its own time.

    use prost::Message as _;
    use tonic::Code;
    use verdict::api::grpc::proto::{BatchCheckItem, BatchCheckRequest, CheckRequest, CheckStreamRequest, Effect};

    use crate::{
        raw,
        support::{ALWAYS, Folder, Serve, assert_refused, eventually, question, to},
    };

    #[tokio::test]
    async fn a_deadline_that_has_passed_is_an_error_and_not_an_answer() {
        let folder = Folder::always(&[]);
        let server = Serve::folder(&folder).ready().await;
        let check = raw::frame(&to(ALWAYS).encode_to_vec());
        let item = BatchCheckItem { subject: question().subject, ..BatchCheckItem::default() };
        let batch = BatchCheckRequest {
            action: question().action,
            resource: question().resource,
            policy: ALWAYS.to_owned(),
            items: vec![item; 100],
            ..BatchCheckRequest::default()
        };
        let batch = raw::frame(&batch.encode_to_vec());
        let stream = CheckStreamRequest { question: Some(CheckRequest { request_id: "1".to_owned(), ..to(ALWAYS) }) };
        let stream = raw::frame(&stream.encode_to_vec());
        for (method, body) in [("Check", &check), ("BatchCheck", &batch), ("CheckStream", &stream)] {
            for timeout in ["1n", "0S"] {
                let answer = raw::call(&server, method, body.clone(), &[("grpc-timeout", timeout)]).await;
                assert_refused(answer.status(), Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
            }
            for timeout in ["10S", "99999999H", "nonsense", "-1S", ""] {
                let answer = raw::call(&server, method, body.clone(), &[("grpc-timeout", timeout)]).await;
                assert_eq!(answer.status().code(), Code::Ok, "{method} {timeout}");
            }
        }
        let count = server.metric(r#"verdict_call_errors_total{reason="DEADLINE_EXCEEDED"}"#).await;
        assert_eq!(count, Some(6.0));
    }

    #[tokio::test]
    async fn the_servers_own_limit_holds_for_a_batch() {
        let slow = "package slow\n\ndecision := count([1 | some i in numbers.range(1, 2000); i % 7 == 0]) > 0\n";
        let folder = Folder::always(&[("slow.rego", slow)]);
        let server = Serve::folder(&folder).env("VERDICT_GRPC_REQUEST_TIMEOUT", "100ms").ready().await;
        let item = BatchCheckItem {
            subject: question().subject,
            action: question().action,
            resource: question().resource,
            policy: "data.slow".to_owned(),
            ..BatchCheckItem::default()
        };
        let batch = BatchCheckRequest { items: vec![item; 1_000], ..BatchCheckRequest::default() };
        let status = server.client().await.batch_check(batch).await.unwrap_err();
        assert_refused(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        let again = async || server.client().await.check(to(ALWAYS)).await.ok();
        let verdict = eventually("it answers within 100 ms again", again).await.into_inner().verdict.unwrap();
        assert_eq!(verdict.effect(), Effect::Allow);
    }
}
