//! Metrics and the log at a collector: the same figures that Prometheus is told.

use crate::{
    receiver::{Receiver, attribute, points},
    rig::stop,
    support::{Folder, Serve, eventually, question, to},
};

#[tokio::test]
async fn the_collector_is_told_the_figures_that_prometheus_is() {
    let receiver = Receiver::start().await;
    let folder = Folder::always(&[]);
    let serve = receiver.told_by(Serve::folder(&folder));
    let serve = serve.env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret").env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    let mut server = serve.ready().await;
    server.ask(to("data.always")).await;
    server.ask(question()).await;
    let decisions = eventually("two decisions", async || {
        let metric = receiver.metric("verdict.decisions")?;
        let count: f64 = points(&metric).iter().map(|(_, count)| count).sum();
        (count > 1.5).then_some(metric)
    })
    .await;
    let allowed = points(&decisions).into_iter().find(|(attributes, _)| {
        attribute(attributes, "entry_point").as_deref() == Some("data.always.decision")
            && attribute(attributes, "effect").as_deref() == Some("allow")
    });
    assert!((allowed.unwrap().1 - 1.0).abs() < 0.1);
    for (name, unit) in [
        ("rpc.server.call.duration", "s"),
        ("http.server.request.duration", "s"),
        ("verdict.decision_duration", "s"),
        ("process.memory.usage", "By"),
        ("process.cpu.time", "s"),
    ] {
        let metric = receiver.metric(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(metric.unit, unit, "{name}");
    }
    let calls = points(&receiver.metric("rpc.server.call.duration").unwrap());
    let checks = calls.iter().find(|(attributes, _)| {
        attribute(attributes, "rpc.method").as_deref() == Some("verdict.v1.DecisionService/Check")
    });
    assert_eq!(attribute(&checks.unwrap().0, "rpc.response.status_code").unwrap(), "OK");
    assert!(
        receiver.heads().iter().all(|head| head.get("api-key").is_some_and(|key| key == "s3cret")),
        "the headers come along"
    );

    // Every family that Prometheus pulls is pushed, too.
    let (_, _, body) = server.http("GET", "/metrics").await;
    let pulled = body.lines().filter(|line| line.starts_with("# TYPE ")).count();
    stop(&mut server).await;
    let mut pushed: Vec<String> = receiver.names();
    pushed.sort();
    pushed.dedup();
    assert_eq!(pushed.len(), pulled, "{pushed:#?}");
}

#[tokio::test]
async fn the_log_is_told_too() {
    let receiver = Receiver::start().await;
    let mut server = receiver.told_by(Serve::embedded()).env("VERDICT_LOG_LEVEL", "trace").ready().await;
    server.ask(question()).await;
    let (scope, record) = eventually("a line", async || {
        receiver.logs().into_iter().find(|(_, record)| format!("{:?}", record.body).contains("policies active"))
    })
    .await;
    assert_eq!((scope.starts_with("verdict::"), record.severity_text.as_str()), (true, "INFO"));
    assert!(attribute(&record.attributes, "sequence").is_some());
    stop(&mut server).await;
    let senders = ["tonic", "h2", "hyper", "verdict::telemetry"];
    for (scope, _) in receiver.logs() {
        assert!(senders.iter().all(|sender| !scope.starts_with(sender)), "sending makes no more to send: {scope}");
    }
}

#[tokio::test]
async fn nothing_is_pushed_where_it_is_off() {
    let receiver = Receiver::start().await;
    let mut server = receiver.told_by(Serve::embedded()).env("OTEL_SDK_DISABLED", "true").ready().await;
    server.ask(question()).await;
    stop(&mut server).await;
    assert!(receiver.heads().is_empty());
}
