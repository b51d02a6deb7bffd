//! What Prometheus pulls is well formed; rules and dashboard ask for what there is; each alert has its line of the runbook.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::{Value as Json, json};

use crate::{
    receiver::Receiver,
    rig::{Rig, ask, skipped, stop},
    support::{question, to},
};

const RULES: &str = "deploy/prometheus/alerts.yaml";
const DASHBOARD: &str = "deploy/grafana/verdict.json";

/// The metrics of a server that does what there is to do.
async fn metrics() -> String {
    let receiver = Receiver::start().await;
    let rig = Rig::new("kept: {type: file, path: DIR/x.log, mode: durable, spool: {path: DIR/spool.redb}}", &[]);
    let mut server = receiver.told_by(rig.serve()).ready().await;
    ask(&server, "alice", &json!({})).await;
    ask(&server, "bob", &json!({})).await;
    server.ask(question()).await;
    server.ask(to("data.authz.broken")).await;
    server.refusal(to("nonsense")).await;
    server.http("GET", "/nothing").await;
    let (_, _, metrics) = server.http("GET", "/metrics").await;
    stop(&mut server).await;
    metrics
}

fn promtool() -> Option<String> {
    let program = std::env::var("VERDICT_TEST_PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let there = Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skipped("promtool", "there is no promtool (Debian has it in `prometheus`)");
    }
    there.then_some(program)
}

fn checked(output: &Output) {
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_the_metrics() {
    let Some(promtool) = promtool() else { return };
    let metrics = metrics().await;
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    checked(&output);
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "clean: {output:?}");
}

#[test]
fn promtool_finds_nothing_wrong_with_the_rules_and_they_fire() {
    let Some(promtool) = promtool() else { return };
    checked(&Command::new(&promtool).args(["check", "rules", RULES]).output().unwrap());
    checked(&Command::new(&promtool).args(["test", "rules", "deploy/prometheus/alerts.test.yaml"]).output().unwrap());
}

/// The expressions of the rules and the dashboard.
fn expressions() -> Vec<String> {
    let mut found = Vec::new();
    let rules: Json = yaml_serde::from_str(&fs::read_to_string(RULES).unwrap()).unwrap();
    let dashboard: Json = serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    gather(&rules, &mut found);
    gather(&dashboard, &mut found);
    found
}

fn gather(value: &Json, found: &mut Vec<String>) {
    match value {
        Json::Object(members) => {
            found.extend(members.get("expr").and_then(Json::as_str).map(str::to_owned));
            members.values().for_each(|member| gather(member, found));
        }
        Json::Array(items) => items.iter().for_each(|item| gather(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn rules_and_dashboard_ask_for_metrics_and_labels_that_there_are() {
    let metrics = metrics().await;
    let there: BTreeSet<&str> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let expressions = expressions();
    assert!(expressions.len() > 50);
    let name = regex::Regex::new(r"\b(?:verdict|rpc|http|process)_[a-z0-9_]+").unwrap();
    let quoted = regex::Regex::new(r#""[^"]*""#).unwrap();
    let grouped = regex::Regex::new(r"by \(([^)]*)\)").unwrap();
    let mut asked = 0;
    for expression in &expressions {
        let bare = quoted.replace_all(expression, "");
        for found in name.find_iter(&bare).map(|found| found.as_str()) {
            // A label of OpenTelemetry's own looks like a metric.
            if metrics.contains(&format!("{found}=\"")) {
                continue;
            }
            asked += 1;
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| found.strip_suffix(suffix));
            assert!(
                there.contains(found) || family.is_some_and(|name| there.contains(name)),
                "{found} in {expression}"
            );
        }
        for label in grouped.captures_iter(&bare).flat_map(|found| found.get(1).unwrap().as_str().split(", ")) {
            // These are Prometheus's own, or of parts that this server does not use.
            let known = ["instance", "le", "bundle", "kind", "source", "cache"].contains(&label);
            assert!(known || metrics.contains(&format!("{label}=\"")), "{label} in {expression}");
        }
    }
    assert!(asked > 60, "{asked}");
}

#[test]
fn each_alert_has_its_line_of_the_runbook() {
    let rules: Json = yaml_serde::from_str(&fs::read_to_string(RULES).unwrap()).unwrap();
    let runbook = fs::read_to_string("docs/runbook.md").unwrap();
    let mut alerts = 0;
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        alerts += 1;
        let (alert, link) = (rule["alert"].as_str().unwrap(), rule["annotations"]["runbook"].as_str().unwrap());
        let anchor = link.strip_prefix("docs/runbook.md#").unwrap();
        let heading = anchor.replace('-', " ");
        let there = runbook.lines().any(|line| line.strip_prefix("## ").is_some_and(|h| h.to_lowercase() == heading));
        assert!(there && runbook.contains(&format!("`{alert}`")), "{alert}: `## {heading}`");
    }
    assert!(alerts > 20);
}
