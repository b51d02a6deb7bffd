//! One trace, from who asks through Verdict to who is told.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use serde_json::json;
use tonic::Request;

use crate::{
    receiver::{Receiver, attribute, hex},
    rig::{Rig, post as ask, question as http_question, stop},
    support::{Serve, eventually, question},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{CLIENT}-{flags}")
}

type Heads = Arc<Mutex<Vec<HeaderMap>>>;

/// A server that takes OPA's decision logs, and keeps the heads of requests.
async fn sink() -> (String, Heads) {
    let heads = Heads::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/logs", listener.local_addr().unwrap());
    let take = |State(heads): State<Heads>, head: HeaderMap| async move { heads.lock().unwrap().push(head) };
    let router = Router::new().route("/logs", post(take)).with_state(Arc::clone(&heads));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, heads)
}

fn ids(span: &Span) -> (String, String, String) {
    (hex(&span.trace_id), hex(&span.span_id), hex(&span.parent_span_id))
}

#[tokio::test]
async fn one_trace_goes_from_the_client_through_verdict_to_the_sinks() {
    let receiver = Receiver::start().await;
    let (url, heads) = sink().await;
    let rig = Rig::new(
        &format!(
            "http: {{type: http, url: '{url}', delay: 20ms}}
otlp: {{type: otlp, delay: 20ms}}
kept: {{type: otlp, delay: 20ms, mode: durable, spool: {{path: DIR/spool.redb}}}}
file: {{type: file, path: DIR/native.log}}"
        ),
        &[],
    );
    let mut server = receiver.told_by(rig.serve()).ready().await;
    let mut client = server.client().await;
    let mut call = Request::new(question());
    call.metadata_mut().insert("traceparent", parent("01").parse().unwrap());
    call.metadata_mut().insert("tracestate", "vendor=1".parse().unwrap());
    let verdict = client.check(call).await.unwrap().into_inner().verdict.unwrap();

    let rpc = receiver.span("verdict.v1.DecisionService/Check").await;
    let decide = receiver.span("verdict.decide").await;
    let (trace, call_id, from) = ids(&rpc);
    assert_eq!((trace.as_str(), from.as_str()), (TRACE, CLIENT));
    assert_eq!((rpc.kind(), rpc.trace_state.as_str()), (SpanKind::Server, "vendor=1"));
    assert_eq!(attribute(&rpc.attributes, "rpc.system.name").unwrap(), "grpc");
    assert_eq!(attribute(&rpc.attributes, "rpc.response.status_code").unwrap(), "OK");
    let (trace, decision_span, from) = ids(&decide);
    assert_eq!((trace.as_str(), from), (TRACE, call_id));
    assert_eq!(attribute(&decide.attributes, "verdict.decision_id").unwrap(), verdict.decision_id);
    let events: Vec<_> = decide.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["decoded", "evaluated", "recorded"], "its phases");
    assert!(rpc.start_time_unix_nano <= decide.events[0].time_unix_nano);
    assert!(decide.end_time_unix_nano <= rpc.end_time_unix_nano);

    // What was delivered, is, as the decision's child; and who takes it is told so.
    let delivered = |sink: &'static str| {
        let receiver = receiver.clone();
        async move {
            eventually(sink, async || {
                let mut spans = receiver.spans().into_iter();
                spans.find(|span| attribute(&span.attributes, "verdict.sink").as_deref() == Some(sink))
            })
            .await
        }
    };
    for name in ["http", "otlp", "kept"] {
        let span = delivered(name).await;
        let (trace, _, from) = ids(&span);
        assert_eq!((trace.as_str(), &from), (TRACE, &decision_span), "{name}");
        assert_eq!(span.kind(), SpanKind::Client);
    }
    let told = |span: &Span| format!("00-{TRACE}-{}-01", hex(&span.span_id));
    let http = told(&delivered("http").await);
    assert_eq!(heads.lock().unwrap()[0]["traceparent"], http.as_str());
    for name in ["otlp", "kept"] {
        let told = told(&delivered(name).await);
        assert!(
            receiver.heads().iter().any(|head| head.get("traceparent").is_some_and(|said| *said == *told)),
            "{name}"
        );
    }

    // The records themselves, in the file and at the collector.
    let record = &rig.logged("native.log", 1).await[0];
    assert_eq!((record["trace_id"].as_str(), record["span_id"].as_str()), (Some(TRACE), Some(decision_span.as_str())));
    eventually("both records", async || {
        let logs = receiver.logs();
        let records: Vec<_> = logs.iter().filter(|(_, record)| record.event_name == "verdict.decision").collect();
        for (_, record) in &records {
            assert_eq!((hex(&record.trace_id).as_str(), &hex(&record.span_id)), (TRACE, &decision_span));
            assert_eq!((record.flags, record.time_unix_nano > 0), (1, true));
            assert_eq!(attribute(&record.attributes, "verdict.decision_id").unwrap(), verdict.decision_id);
        }
        (records.len() == 2).then_some(())
    })
    .await;
    let resource = &receiver.resources()[0];
    assert_eq!(attribute(&resource.attributes, "service.name").unwrap(), "verdict");
    stop(&mut server).await;
}

#[tokio::test]
async fn every_door_takes_up_the_callers_trace() {
    let receiver = Receiver::start().await;
    let rig = Rig::new("file: {type: file, path: DIR/native.log}", &[]);
    let mut server = receiver.told_by(rig.serve()).ready().await;
    let header = format!("traceparent: {}\r\n", parent("01"));
    ask(&server, "", &header, &http_question("alice", &json!({})).to_string()).await;
    let http = receiver.span("POST /access/v1/evaluation").await;
    assert_eq!((ids(&http).0.as_str(), ids(&http).2.as_str(), http.kind()), (TRACE, CLIENT, SpanKind::Server));
    assert_eq!(attribute(&http.attributes, "http.response.status_code").unwrap(), "200");
    let decide = receiver.span("verdict.decide").await;
    assert_eq!(ids(&decide).2, ids(&http).1);

    // A stream's answers, though each is decided on a task of its own.
    let mut client = server.client().await;
    let asked = verdict::api::grpc::proto::CheckStreamRequest {
        question: Some(verdict::api::grpc::proto::CheckRequest { request_id: "1".to_owned(), ..question() }),
    };
    let mut call = Request::new(tokio_stream::iter([asked]));
    call.metadata_mut().insert("traceparent", parent("01").parse().unwrap());
    let mut answers = client.check_stream(call).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap();
    assert!(answers.message().await.unwrap().is_none());
    let stream = receiver.span("verdict.v1.DecisionService/CheckStream").await;
    eventually("its decision", async || {
        receiver.spans().iter().find(|span| span.parent_span_id == stream.span_id).cloned()
    })
    .await;

    // Envoy's, whatever it says of it.
    let mut envoy = tonic::client::Grpc::new(server.channel().await);
    envoy.ready().await.unwrap();
    let mut call = Request::new(());
    call.metadata_mut().insert("traceparent", parent("01").parse().unwrap());
    let path = "/envoy.service.auth.v3.Authorization/Check".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let _: Result<tonic::Response<()>, _> = envoy.unary(call, path, codec).await;
    let envoy = receiver.span("envoy.service.auth.v3.Authorization/Check").await;
    assert_eq!(ids(&envoy).0, TRACE);
    stop(&mut server).await;
}

#[tokio::test]
async fn what_the_caller_does_not_record_is_not_recorded_but_named() {
    let receiver = Receiver::start().await;
    let rig = Rig::new("file: {type: file, path: DIR/native.log}", &[]);
    let mut server = receiver.told_by(rig.serve()).ready().await;
    let asked = http_question("alice", &json!({})).to_string();
    ask(&server, "", &format!("traceparent: {}\r\n", parent("00")), &asked).await;
    ask(&server, "", "", &asked).await;
    let own = receiver.span("verdict.decide").await;
    let records = rig.logged("native.log", 2).await;
    assert_eq!(records[0]["trace_id"], TRACE);
    assert_eq!((records[0].get("trace_sampled"), &records[1]["trace_sampled"]), (None, &json!(true)));
    assert_eq!(records[1]["trace_id"], hex(&own.trace_id), "one that nobody began is begun here");
    stop(&mut server).await;
    assert!(receiver.spans().iter().all(|span| hex(&span.trace_id) != TRACE));
}

#[tokio::test]
async fn records_name_the_callers_span_where_nothing_is_pushed() {
    let rig = Rig::new("file: {type: file, path: DIR/native.log}", &[]);
    let mut server = rig.ready().await;
    let asked = http_question("alice", &json!({})).to_string();
    ask(&server, "", &format!("traceparent: {}\r\n", parent("01")), &asked).await;
    ask(&server, "", "traceparent: nonsense\r\n", &asked).await;
    let records = rig.logged("native.log", 2).await;
    assert_eq!((records[0]["trace_id"].as_str(), records[0]["span_id"].as_str()), (Some(TRACE), Some(CLIENT)));
    assert!(records[1].get("trace_id").is_none());
    stop(&mut server).await;
}

#[tokio::test]
async fn the_sampler_decides_of_traces_that_nobody_began() {
    let receiver = Receiver::start().await;
    let serve = receiver.told_by(Serve::embedded()).env("OTEL_TRACES_SAMPLER", "parentbased_always_off");
    let mut server = serve.ready().await;
    let mut client = server.client().await;
    client.check(question()).await.unwrap();
    let mut call = Request::new(question());
    call.metadata_mut().insert("traceparent", parent("01").parse().unwrap());
    client.check(call).await.unwrap();
    receiver.span("verdict.decide").await;
    stop(&mut server).await;
    assert!(receiver.spans().iter().all(|span| hex(&span.trace_id) == TRACE));
}
