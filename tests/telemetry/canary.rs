//! A secret in every place that a request has is in nothing that is pushed.

use serde_json::json;
use tonic::Request;
use verdict::api::grpc::proto::CheckRequest;

use crate::{
    receiver::Receiver,
    rig::{Rig, post, question as http_question, stop},
    support::{Ask as _, eventually, object, question, to},
};

const CANARY: &str = "cAnArY-0b6c1f7e92d84c35";

#[tokio::test]
async fn a_canary_in_every_place_is_in_nothing_that_is_pushed_or_answered() {
    let leaky = "package authz
import rego.v1
explained contains reason if {
	some key in [\"note\", \"ip\"]
	reason := {\"code\": sprintf(\"c-%v\", [input.context[key]]), \"message\": sprintf(\"%v\", [input.context])}
}
leaks := {\"allow\": false, \"reasons\": explained}
conflict := input.context.password
conflict := \"x\" if input.context.password
";
    let receiver = Receiver::start().await;
    let rig = Rig::new(
        "otlp: {type: otlp, delay: 20ms}\nopa: {type: otlp, format: opa, delay: 20ms}",
        &[("leaky.rego", leaky)],
    );
    let serve = receiver.told_by(rig.serve()).env("VERDICT_LOG_LEVEL", "trace");
    let mut server = serve.env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret-of-ours").ready().await;
    let context = json!({
        "password": CANARY, "note": format!("it is {CANARY}"), "ip": format!("Bearer {CANARY}"),
        "nested": {"access_token": [CANARY]}, "authorization": format!("Bearer {CANARY}"), "cookie": format!("s={CANARY}"),
    });
    let mut replies = String::new();
    for trace in [format!("traceparent: {CANARY}\r\n"), format!("traceparent: 00-{CANARY}-{CANARY}-01\r\n")] {
        let headers = format!(
            "authorization: Bearer {CANARY}\r\ncookie: s={CANARY}\r\nx-api-key: {CANARY}\r\nbaggage: token={CANARY}\r\n\
             tracestate: secret={CANARY}\r\nuser-agent: {CANARY}\r\n{trace}"
        );
        let asked = http_question("alice", &context).to_string();
        replies += &post(&server, &format!("?access_token={CANARY}"), &headers, &asked).await;
        replies += &post(&server, "", &headers, &format!("{{\"token\": \"{CANARY}\"")).await;
    }
    replies += &server.http("GET", &format!("/{CANARY}?token={CANARY}")).await.2;
    // The path names the policy that is asked, which a record must tell; the query says nothing that it needs.
    replies += &server.http("POST", &format!("/v1/data/absent?token={CANARY}")).await.2;
    let mut client = server.client().await;
    for policy in ["data.authz.leaks", "data.authz.conflict", "data.authz.decision"] {
        let mut asked = to(policy);
        asked.context = Some(object(context.clone()));
        client.ask(asked).await;
    }
    let mut call = Request::new(question());
    call.metadata_mut().insert("authorization", format!("Bearer {CANARY}").parse().unwrap());
    call.metadata_mut().insert("x-secret", CANARY.parse().unwrap());
    call.metadata_mut().insert_bin("secret-bin", tonic::metadata::MetadataValue::from_bytes(CANARY.as_bytes()));
    let answer = client.check(call).await.unwrap();
    let mut told = vec![format!("{answer:?}")];
    // What is wrong with a question is told with the text of the field that is wrong: the caller's own name of a policy, say.
    // Nothing else of it is told, nor pushed.
    client.check(to(&format!("{CANARY}("))).await.unwrap_err();
    let mut wrong = Request::new(CheckRequest { subject: None, context: Some(object(context.clone())), ..question() });
    wrong.metadata_mut().insert("authorization", format!("Basic {CANARY}").parse().unwrap());
    let refused = client.check(wrong).await.unwrap_err();
    let details = String::from_utf8_lossy(refused.details()).into_owned();
    told.push(format!("{refused:?} {details}"));
    let path = format!("/verdict.v1.DecisionService/{CANARY}").parse().unwrap();
    let mut grpc = tonic::client::Grpc::new(server.channel().await);
    grpc.ready().await.unwrap();
    let unknown: Result<tonic::Response<()>, _> =
        grpc.unary(Request::new(()), path, tonic_prost::ProstCodec::<(), ()>::default()).await;
    told.push(format!("{unknown:?}"));
    replies += &told.concat();
    let metrics = server.http("GET", "/metrics").await.2;
    eventually("the records", async || {
        let decisions = receiver.logs().iter().filter(|(_, record)| record.event_name == "verdict.decision").count();
        (decisions >= 12).then_some(())
    })
    .await;
    stop(&mut server).await;
    assert!(receiver.spans().len() > 10);
    let log: String = server.lines().iter().map(ToString::to_string).collect();
    let pushed = receiver.everything();
    for (place, text) in
        [("the log", &log), ("the metrics", &metrics), ("the replies", &replies), ("what is pushed", &pushed)]
    {
        let found = text.find(CANARY).map(|at| &text[at.saturating_sub(300)..(at + 100).min(text.len())]);
        assert_eq!(found, None, "{place}");
    }
    assert!(!log.contains("s3cret-of-ours"));
}
