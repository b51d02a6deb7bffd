//! A collector that is dead, slow or full costs no decision anything; what is lost is counted.

use std::time::{Duration, Instant};

use crate::{
    receiver::{Does, Receiver},
    rig::stop,
    support::{Serve, Server, eventually, question},
};

async fn dropped(server: &Server, cause: &str) -> f64 {
    let sample = format!("verdict_telemetry_dropped_total{{signal=\"traces\",cause=\"{cause}\"}}");
    server.metric(&sample).await.unwrap()
}

async fn of(server: &Server, name: &str) -> f64 {
    server.metric(&format!("{name}{{signal=\"traces\"}}")).await.unwrap()
}

#[tokio::test]
async fn a_collector_that_takes_nothing_costs_spans_and_no_decision() {
    for does in [Some(Does::Sleeps), Some(Does::Refuses), None] {
        let receiver = Receiver::start().await;
        receiver.now(does.unwrap_or_default());
        let mut serve = receiver.told_by(Serve::embedded()).env("OTEL_BSP_MAX_QUEUE_SIZE", "10");
        if does.is_none() {
            // Nobody listens there.
            serve = serve.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
        }
        let mut server = serve.env("OTEL_EXPORTER_OTLP_TIMEOUT", "500").ready().await;
        let mut client = server.client().await;
        let begun = Instant::now();
        for _ in 0..100 {
            client.check(question()).await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{does:?}: {:?}", begun.elapsed());
        // Two spans a call: each is in the queue, on its way, or counted.
        eventually("all are counted", async || {
            let (full, failed) = (dropped(&server, "queue_full").await, dropped(&server, "failed").await);
            let taken = of(&server, "verdict_telemetry_items_total").await;
            let queued = of(&server, "verdict_telemetry_queued").await;
            assert!(full > 0.0 && queued <= 10.0, "{does:?}: {full} {queued}");
            (taken + full + failed + queued >= 200.0 - 10.0).then_some(())
        })
        .await;
        let begun = Instant::now();
        stop(&mut server).await;
        assert!(begun.elapsed() < Duration::from_secs(8), "{does:?}: the end waits for nobody");
    }
}

#[tokio::test]
async fn what_waits_is_sent_at_the_end() {
    let receiver = Receiver::start().await;
    let serve = receiver.told_by(Serve::embedded());
    let serve = serve.env("OTEL_BSP_SCHEDULE_DELAY", "60000").env("OTEL_METRIC_EXPORT_INTERVAL", "60000");
    let mut server = serve.ready().await;
    server.ask(question()).await;
    assert!(receiver.spans().is_empty());
    stop(&mut server).await;
    assert!(receiver.spans().iter().any(|span| span.name == "verdict.decide"));
    assert!(receiver.metric("verdict.decisions").is_some());
}
