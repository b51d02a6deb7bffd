//! The operators' door.

use crate::support::{Folder, Serve, question, to};

#[tokio::test]
async fn health_and_metrics_are_where_they_are_said_to_be() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let (code, head, body) = server.http("GET", "/health/live").await;
    assert_eq!((code, body.contains("live")), (200, true), "{body}");
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    let (code, body) = server.readiness().await;
    assert_eq!((code, body["status"].as_str()), (200, Some("ready")));
    assert_eq!(body["revision"]["sequence"], 1);
    let (code, _, body) = server.http("GET", "/").await;
    assert!(code == 200 && body.contains("/health/ready") && body.contains("/metrics"), "{body}");
    let (code, head, body) = server.http("HEAD", "/health/ready").await;
    assert_eq!((code, body.as_str()), (200, ""), "{head}");
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_read_405() {
    let server = Serve::embedded().ready().await;
    for path in ["/nothing", "/healthz", "/health/ready/", "/metrics/x", "//", "/..%2f..%2fetc/passwd"] {
        let (code, _, body) = server.http("GET", path).await;
        assert_eq!(code, 404, "{path}");
        assert!(body.contains("NOT_FOUND") && !body.contains("passwd"), "{body}");
    }
    for path in ["/health/live", "/health/ready", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let (code, head, body) = server.http(method, path).await;
            assert_eq!(code, 405, "{method} {path}");
            assert!(head.to_lowercase().contains("allow: get"), "{head}");
            assert!(body.contains("METHOD_NOT_ALLOWED"), "{body}");
        }
    }
}

#[tokio::test]
async fn the_metrics_have_every_documented_name_after_some_traffic() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    server.unharmed().await;
    server.ask(to("data.always")).await;
    server.ask(to("data.invented.by.a.caller")).await;
    server.ask(question()).await;
    server.refusal(to("nonsense")).await;
    let (code, head, body) = server.http("GET", "/metrics").await;
    assert_eq!(code, 200);
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    for line in [
        r#"verdict_decisions_total{entry_point="data.always.decision",effect="allow"} 2"#,
        r#"verdict_call_errors_total{reason="INVALID_QUERY"} 1"#,
        r#"verdict_reloads_total{result="ok"} 1"#,
        r#"verdict_reloads_total{result="failed"} 0"#,
        "verdict_ready 1",
        "verdict_in_flight 0",
        "verdict_policy_last_reload_successful 1",
        "verdict_active_revision 1",
        "verdict_snapshot_modules 1",
        "verdict_snapshot_rules 1",
        concat!("verdict_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(body.lines().any(|found| found == line), "`{line}` in {body}");
    }
    // The names that docs and dashboards build on: the table at the head of the module.
    let table = std::fs::read_to_string("src/telemetry/metrics.rs").unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("//! | `")?.split(" | ").next());
    let mut known = 0;
    for name in cells.flat_map(|cell| cell.trim_end_matches('`').split("`, `")).filter(|name| *name != "process_…") {
        known += 1;
        assert!(body.contains(&format!("# TYPE {name} ")), "{name}");
    }
    assert!(known >= 55, "{known}");
    let told = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for name in told.filter(|name| !name.starts_with("process_")) {
        assert!(table.contains(&format!("`{name}`")), "{name} is not in the table");
    }
    for name in ["verdict_snapshot_bytes", "verdict_decision_duration_seconds_bucket", "process_resident_memory_bytes"]
    {
        assert!(body.contains(name), "{name}");
    }
    // What is before the doors, by causes that are there from the start.
    for line in [
        "verdict_connections_refused_total{door=\"grpc\",cause=\"max_connections\"} 0",
        "verdict_connections_refused_total{door=\"http\",cause=\"handshake_timeout\"} 0",
        "verdict_connections_refused_total{door=\"admin\",cause=\"accept_failed\"} 0",
        "verdict_calls_shed_total{cause=\"too_late\"} 0",
        "verdict_caller_failures_total{shown=\"key\"} 0",
        "verdict_concurrency_limit 256",
        "verdict_calls_queued 0",
    ] {
        assert!(body.lines().any(|found| found == line), "`{line}` in {body}");
    }
    assert!(!body.contains("invented"), "a caller's text became a label: {body}");
}
