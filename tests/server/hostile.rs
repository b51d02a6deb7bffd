//! What else a caller might send to get an allow that is not his, or to take the server from others.

use std::time::{Duration, Instant};

use prost::{
    Message as _,
    encoding::{WireType, encode_key},
};
use tonic::Code;
use verdict::api::grpc::proto::{CheckRequest, CheckResponse, Effect, Verdict};

use crate::{
    raw::{self, field, varint},
    support::{
        ALWAYS, Folder, Serve, Server, assert_denied, assert_invalid, assert_refused, codes, object, question, to,
    },
};

/// Says what it saw.
const ECHO: &str = "package echo\n\ndecision := {\"allow\": true, \"context\": {\"input\": input}}\n";

async fn echo() -> (Folder, Server) {
    let folder = Folder::always(&[("echo.rego", ECHO)]);
    let server = Serve::folder(&folder).ready().await;
    (folder, server)
}

async fn asked(server: &Server, message: &[u8]) -> Verdict {
    let answer = raw::check(server, message).await;
    assert_eq!(answer.status().code(), Code::Ok, "{:?}", answer.status());
    CheckResponse::decode(answer.split().remove(0)).unwrap().verdict.unwrap()
}

/// What of the input the policy saw, by a JSON pointer.
fn seen(verdict: &Verdict) -> &verdict::decision::Value {
    verdict.context.as_ref().unwrap().members.get("input").unwrap()
}

fn member<'a>(value: &'a verdict::decision::Value, path: &[&str]) -> &'a verdict::decision::Value {
    path.iter().fold(value, |value, name| {
        let verdict::decision::Value::Object(object) = value else { panic!("{value:?} has no {name}") };
        object.get(name).unwrap_or_else(|| panic!("no {name} in {object:?}"))
    })
}

fn base(policy: &str) -> Vec<u8> {
    to(policy).encode_to_vec()
}

fn text_value(text: &str) -> Vec<u8> {
    field(3, text.as_bytes())
}

fn entry(name: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, name.as_bytes()), field(2, value)].concat())
}

#[tokio::test]
async fn a_field_sent_twice_is_merged_as_protobuf_says() {
    let (_folder, server) = echo().await;
    // subject {type: user, id: alice} from the base; then another part of it.
    let twice = [
        base("data.echo"),
        field(1, &field(2, b"mallory")),
        field(1, &field(3, &entry("a", &text_value("1")))),
        field(1, &field(3, &[entry("b", &text_value("2")), entry("a", &text_value("3"))].concat())),
    ]
    .concat();
    let verdict = asked(&server, &twice).await;
    let subject = member(seen(&verdict), &["subject"]);
    for (path, text) in
        [(&["type"][..], "user"), (&["id"], "mallory"), (&["properties", "a"], "3"), (&["properties", "b"], "2")]
    {
        assert_eq!(member(subject, path), &verdict::decision::Value::from(text), "{path:?}");
    }
    // An empty text that comes later is as good as none: it does not stay what it was.
    let emptied = [base("data.echo"), field(1, &field(2, b""))].concat();
    let answer = raw::check(&server, &emptied).await;
    assert_eq!(assert_invalid(answer.status()), ["subject.id"]);
    // The entry point that comes last is asked.
    let redirected = [base(ALWAYS), field(6, b"data.nothing")].concat();
    assert_denied(&asked(&server, &redirected).await, "no_decision");
}

#[tokio::test]
async fn a_value_that_readers_may_take_differently_is_refused() {
    let (_folder, server) = echo().await;
    let wrong_type = |number: u32| {
        let mut bytes = Vec::new();
        encode_key(number, WireType::ThirtyTwoBit, &mut bytes);
        bytes.extend_from_slice(&[0; 4]);
        bytes
    };
    let object = |entries: &[u8]| field(5, entries);
    let (a, b) = (entry("a", &text_value("1")), entry("b", &text_value("2")));
    for (what, context) in [
        (
            "a value twice in an entry",
            field(1, &[field(1, b"x"), field(2, &object(&a)), field(2, &object(&b))].concat()),
        ),
        ("two kinds of one value", entry("x", &[text_value("1"), varint(4, 1)].concat())),
        ("an object twice in one value", entry("x", &[object(&a), object(&b)].concat())),
        ("a name twice in an entry", field(1, &[field(1, b"x"), field(1, b"y"), field(2, &varint(4, 1))].concat())),
        ("a name that is no text", field(1, &[varint(1, 1), field(2, &varint(4, 1))].concat())),
        ("a value that is no message", field(1, &[field(1, b"x"), varint(2, 1)].concat())),
        ("entries that are no messages", entry("x", &object(&varint(1, 1)))),
        ("items that are no messages", entry("x", &field(6, &varint(1, 1)))),
        ("a number as four bytes", entry("x", &wrong_type(2))),
        ("a boolean as text", entry("x", &field(4, b"true"))),
        ("text that is not UTF-8", entry("x", &field(3, b"\xc3\x28"))),
        ("a name that is not UTF-8", field(1, &[field(1, b"\xff"), field(2, &varint(4, 1))].concat())),
        ("no value", field(1, &field(1, b"x"))),
        ("no kind", entry("x", b"")),
        ("an item without a kind", entry("x", &field(6, &field(1, b"")))),
        ("cut off", entry("x", &[0x1a, 0x7f, 0x61])),
    ] {
        let answer = raw::check(&server, &[base(ALWAYS), field(4, &context)].concat()).await;
        assert_eq!(assert_invalid(answer.status()), ["context"], "{what}");
    }
    for bits in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut number = Vec::new();
        encode_key(2, WireType::SixtyFourBit, &mut number);
        number.extend_from_slice(&bits.to_le_bytes());
        for context in [entry("x", &number), entry("x", &object(&entry("y", &field(6, &field(1, &number)))))] {
            let answer = raw::check(&server, &[base(ALWAYS), field(4, &context)].concat()).await;
            assert_eq!(assert_invalid(answer.status()), ["context"], "{bits}");
        }
    }
    server.unharmed().await;
}

#[tokio::test]
async fn unknown_fields_are_passed_over_and_unknown_numbers_are_not() {
    let (_folder, server) = echo().await;
    let later = [base(ALWAYS), field(99, b"from a later contract"), varint(98, 7)].concat();
    assert_eq!(asked(&server, &later).await.effect(), Effect::Allow);
    for mode in [3, 99, u64::MAX] {
        let answer = raw::check(&server, &[base(ALWAYS), varint(8, mode)].concat()).await;
        assert_eq!(assert_invalid(answer.status()), ["explain"], "{mode}");
    }
}

#[tokio::test]
async fn an_entry_point_is_found_by_its_parts_and_not_by_its_text() {
    let folder = Folder::with(&[
        ("open.rego", "package a[\"b.c\"]\n\ndecision := true\n"),
        ("closed.rego", "package a.b.c\n\ndecision := false\n"),
        ("quote.rego", "package q[\"x\\\"].y\"]\n\ndecision := true\n"),
        (
            "authz.rego",
            "package authz\n\ndecision := false\n\nallow := true\n\n_private := true\n\nf(x) := true\n\nobj := {\"allow\": true, \"nested\": {\"allow\": true}}\n",
        ),
        ("flags/data.json", r#"{"decision": true, "open": {"allow": true}}"#),
    ]);
    let server = Serve::folder(&folder).ready().await;
    for (policy, effect) in [
        (r#"data.a["b.c"].decision"#, Effect::Allow),
        (r#"data.a["b.c"]"#, Effect::Allow),
        ("data.a.b.c.decision", Effect::Deny),
        ("data.a.b.c", Effect::Deny),
        (r#"data["a"]["b"]["c"]["decision"]"#, Effect::Deny),
        (r#"data["a.b.c"]"#, Effect::Deny),
        (r#"data["a.b"].c.decision"#, Effect::Deny),
        (r#"data["authz"].decision"#, Effect::Deny),
        (r#"data["\u0061uthz"].decision"#, Effect::Deny),
        ("data.authz", Effect::Deny),
        ("data.authz.decision", Effect::Deny),
        // A rule that allows is an entry point if a question names it.
        ("data.authz.allow", Effect::Allow),
        ("data.authz.obj", Effect::Allow),
        // Not what is inside a rule, a function, nor data that is no rule.
        ("data.authz.obj.nested", Effect::Deny),
        ("data.authz.obj.allow", Effect::Deny),
        ("data.authz.f", Effect::Deny),
        ("data.flags", Effect::Deny),
        ("data.flags.decision", Effect::Deny),
        ("data.flags.open", Effect::Deny),
        (r#"data.a["b.c\u0000"].decision"#, Effect::Deny),
        (r#"data.q["x\"].y"].decision"#, Effect::Allow),
        (r#"data.q["x"].y.decision"#, Effect::Deny),
    ] {
        let verdict = server.ask(to(policy)).await;
        assert_eq!(verdict.effect(), effect, "{policy}: {verdict:?}");
        if effect == Effect::Deny {
            assert!(
                codes(&verdict) == ["no_decision"] || codes(&verdict) == ["policy_denied"],
                "{policy}: {verdict:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_question_to_one_rule_leaves_nothing_for_the_next() {
    // `input` of one question must not be seen by another, on whichever evaluator.
    let text = "package authz\n\ndecision if input.context.pass == \"yes\"\n";
    let folder = Folder::with(&[("authz.rego", text)]);
    let server = Serve::folder(&folder).ready().await;
    let client = server.client().await;
    let askers: Vec<_> = (0..200)
        .map(|n| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let pass = n % 2 == 0;
                let context = pass.then(|| object(serde_json::json!({"pass": "yes"})));
                let question = CheckRequest { context, ..question() };
                (pass, client.check(question).await.unwrap().into_inner().verdict.unwrap().effect())
            })
        })
        .collect();
    for asker in askers {
        let (pass, effect) = asker.await.unwrap();
        assert_eq!(effect == Effect::Allow, pass);
    }
}

#[tokio::test]
async fn many_members_in_any_order_take_no_thread_away() {
    // All are just below the limit of a message.
    let (_folder, server) = echo().await;
    let ascending: Vec<String> = (0..70_000).map(|n| format!("{n:05}")).collect();
    let descending: Vec<String> = ascending.iter().rev().cloned().collect();
    for (what, message) in [
        ("fields", large_in_fields as fn(&[String]) -> Vec<u8>),
        ("nested", large_nested as _),
        ("JSON", large_in_json as _),
    ] {
        let mut took = Vec::new();
        for names in [&ascending, &descending] {
            let message = message(names);
            assert!(message.len() < 1 << 20, "{}", message.len());
            let started = Instant::now();
            assert_eq!(asked(&server, &message).await.effect(), Effect::Allow, "{what}");
            took.push(started.elapsed());
        }
        println!("{what}: 70,000 members took {:?} in order, {:?} in the other", took[0], took[1]);
        assert!(took[1] < took[0] * 6 + Duration::from_millis(300), "{what}: {took:?}");
    }
}

fn entries(names: &[String]) -> Vec<u8> {
    names.iter().flat_map(|name| entry(name, &varint(4, 1))).collect()
}

fn large_in_fields(names: &[String]) -> Vec<u8> {
    [base(ALWAYS), field(4, &entries(names))].concat()
}

fn large_nested(names: &[String]) -> Vec<u8> {
    [base(ALWAYS), field(4, &entry("x", &field(5, &entries(names))))].concat()
}

fn large_in_json(names: &[String]) -> Vec<u8> {
    let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":1")).collect();
    let json = format!(
        r#"{{"subject":{{"type":"user","id":"a"}},"action":{{"name":"r"}},"resource":{{"type":"d","id":"1"}},"context":{{{}}}}}"#,
        members.join(",")
    );
    let question = CheckRequest { query_json: json.into(), policy: ALWAYS.to_owned(), ..CheckRequest::default() };
    question.encode_to_vec()
}

#[tokio::test]
async fn an_error_stays_small_whatever_is_wrong() {
    let (_folder, server) = echo().await;
    let name = "n".repeat(200_000);
    let twice = format!(r#"{{"{name}":1,"{name}":2}}"#);
    let digits = format!(r#"{{"context":{{"n":{}}}}}"#, "9".repeat(200_000));
    let unicode = format!(r#"{{"{0}":1,"{0}":2}}"#, "\u{1F600}".repeat(50_000));
    for json in [twice, digits, unicode] {
        let question = CheckRequest { query_json: json.into(), ..CheckRequest::default() };
        let status = server.refusal(question).await;
        assert_eq!(assert_invalid(&status), ["query_json"]);
        assert!(status.message().len() < 2_000, "{}", status.message().len());
    }
    for policy in [format!("data.{}", "\u{1F600}".repeat(1_000)), "x".repeat(100_000)] {
        let status = server.refusal(to(&policy)).await;
        assert_eq!(assert_invalid(&status), ["policy"]);
        assert!(status.message().len() < 2_000, "{}", status.message().len());
    }
}

#[tokio::test]
async fn the_private_names_of_a_json_library_are_names_like_any_other() {
    let (_folder, server) = echo().await;
    for context in [
        r#"{"n":{"$serde_json::private::Number":"5"}}"#,
        r#"{"n":{"$serde_json::private::Number":"NaN"}}"#,
        r#"{"n":{"$serde_json::private::RawValue":"{\"a\":1}"}}"#,
        r#"{"$serde_json::private::Number":"5"}"#,
        r#"{"n":{"\u0024serde_json::private::Number":"5"}}"#,
        r#"{"n":{"$serde_json::private::Numbe\u0072":"5"}}"#,
        r#"{"n":{"$serde_json::private::Number":"5","x":1}}"#,
    ] {
        let json = format!(
            r#"{{"subject":{{"type":"user","id":"a"}},"action":{{"name":"r"}},"resource":{{"type":"d","id":"1"}},"context":{context}}}"#
        );
        let question = CheckRequest { query_json: json.into(), policy: "data.echo".into(), ..CheckRequest::default() };
        match server.client().await.check(question).await {
            // Either it is refused, or the policy sees exactly what was sent.
            Err(status) => assert!(!assert_invalid(&status).is_empty()),
            Ok(answer) => {
                let verdict = answer.into_inner().verdict.unwrap();
                let context = object(serde_json::from_str::<Plain>(context).unwrap().0);
                let sent = verdict::decision::Value::Object(context.members);
                assert_eq!(member(seen(&verdict), &["context"]), &sent);
            }
        }
    }
}

/// JSON as text says it: `serde_json`'s own value would take part in the trick.
struct Plain(serde_json::Value);

impl<'de> serde::Deserialize<'de> for Plain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Plain;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object of texts and objects")
            }

            fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
                Ok(Plain(text.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Plain, E> {
                Ok(Plain(number.into()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<Plain, A::Error> {
                let mut object = serde_json::Map::new();
                while let Some((name, Plain(value))) = members.next_entry::<String, Plain>()? {
                    object.insert(name, value);
                }
                Ok(Plain(object.into()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[tokio::test]
async fn what_breaks_grpc_itself_breaks_nothing_else() {
    let (_folder, server) = echo().await;
    let sound = base(ALWAYS);
    let length = u32::try_from(sound.len()).unwrap();
    for (what, body, headers, code) in [
        ("no message", bytes::Bytes::new(), &[][..], Code::Internal),
        ("half a frame's head", raw::frame(&sound).slice(..3), &[], Code::Internal),
        ("half a message", raw::frame(&sound).slice(..20), &[], Code::Internal),
        ("a flag that is none", raw::frame_with(7, length, &sound), &[], Code::Internal),
        ("compressed with nothing", raw::frame_with(1, length, &sound), &[], Code::Internal),
        ("unknown compression", raw::frame_with(1, length, &sound), &[("grpc-encoding", "gzip")], Code::Unimplemented),
    ] {
        let answer = raw::call(&server, "Check", body, headers).await;
        assert_eq!(answer.status().code(), code, "{what}: {:?}", answer.status());
        assert!(answer.messages.is_empty(), "{what}");
    }
    let answer = raw::call(&server, "Nothing", raw::frame(&sound), &[]).await;
    assert_eq!(answer.status().code(), Code::Unimplemented);
    // A second message of a unary call is never an answer to somebody else's question.
    let two = [raw::frame(&sound), raw::frame(&base("data.nothing"))].concat();
    let answer = raw::call(&server, "Check", two.into(), &[]).await;
    assert!(answer.split().len() <= 1);
    server.unharmed().await;
}

#[tokio::test]
async fn a_browser_can_ask_nothing() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let (_folder, server) = echo().await;
    let body = raw::frame(&base(ALWAYS));
    for content_type in ["text/plain", "application/json", "application/x-www-form-urlencoded", ""] {
        let answer = raw::call(&server, "Check", body.clone(), &[("content-type", content_type)]).await;
        assert_eq!((answer.http, answer.messages.len()), (415, 0), "{content_type}");
    }
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let answer = raw::call(&server, "Check", body.clone(), &[("content-type", content_type)]).await;
        assert_eq!(answer.status().code(), Code::Ok, "{content_type}");
    }
    // HTTP/1.1, which is what a page can have sent to any address, and with a name of its own to read the answer.
    let mut stream = tokio::net::TcpStream::connect(&server.grpc).await.unwrap();
    let head = format!(
        "POST /verdict.v1.DecisionService/Check HTTP/1.1\r\nhost: rebound.example\r\nconnection: close\r\n\
         content-type: application/grpc\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body[..]].concat()).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is an end, too.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 505"), "{answer}");
    let decided = r#"verdict_decisions_total{entry_point="data.always.decision",effect="allow"}"#;
    assert_eq!(server.metric(decided).await, Some(2.0));
    server.unharmed().await;
}

#[tokio::test]
async fn headers_beyond_all_bounds_reach_no_policy() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let (_folder, server) = echo().await;
    // To the HTTP door, without end: it is cut off.
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let line = format!("x: {}\r\n", "y".repeat(8_000));
    for _ in 0..40 {
        if stream.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    // The request line is nonsense.
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    server.unharmed().await;
}

#[tokio::test]
async fn a_thousand_lists_in_each_other_are_refused_in_any_place() {
    let (_folder, server) = echo().await;
    let deep = raw::nested_lists(1_000);
    for (name, message) in [
        ("subject.properties", field(1, &field(3, &deep))),
        ("action.properties", field(2, &field(2, &deep))),
        ("resource.properties", field(3, &field(3, &deep))),
        ("context", field(4, &deep)),
    ] {
        let answer = raw::check(&server, &[base(ALWAYS), message].concat()).await;
        assert_eq!(assert_invalid(answer.status()), [name]);
    }
    let brackets = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for json in [brackets.clone(), format!("{{\"x\":{brackets}}}"), "{\"a\":".repeat(100_000)] {
        let question = CheckRequest { query_json: json.into(), ..CheckRequest::default() };
        assert_refused(&server.refusal(question).await, Code::InvalidArgument, "INVALID_QUERY");
    }
    // Groups, which only ever skip.
    let mut groups = base(ALWAYS);
    groups.extend(std::iter::repeat_n(0x7b, 100_000));
    groups.extend(std::iter::repeat_n(0x7c, 100_000));
    let answer = raw::check(&server, &groups).await;
    assert_refused(answer.status(), Code::InvalidArgument, "MALFORMED_MESSAGE");
    let inside: Vec<u8> = [vec![0x7b; 100_000], vec![0x7c; 100_000]].concat();
    let answer = raw::check(&server, &[base(ALWAYS), field(4, &entry("x", &inside))].concat()).await;
    assert_eq!(assert_invalid(answer.status()), ["context"]);
    server.unharmed().await;
}
