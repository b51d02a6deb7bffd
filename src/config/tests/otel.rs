//! OpenTelemetry's own variables.

use std::time::Duration;

use super::*;
use crate::telemetry::export::{Sampler, SignalName};

fn given(variables: &[(&str, &str)]) -> Given {
    variables.iter().fold(Given::nothing(), |given, (name, value)| given.variable(name, value))
}

const COLLECTOR: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

#[test]
fn nothing_is_pushed_unless_a_collector_is_named() {
    for variables in [&[][..], &[("OTEL_SERVICE_NAME", "x")], &[COLLECTOR, ("OTEL_SDK_DISABLED", "TRUE")]] {
        let telemetry = given(variables).load().unwrap().telemetry;
        for signal in [SignalName::Traces, SignalName::Metrics, SignalName::Logs] {
            assert!(telemetry.destination(signal).is_none(), "{variables:?}");
        }
    }
}

#[test]
fn what_is_said_of_a_signal_goes_over_what_is_said_of_all() {
    let variables = [
        COLLECTOR,
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example.com"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=1,b=2"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=one,deployment.environment.name=a%20b"),
        ("OTEL_SERVICE_NAME", "two"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "7"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "9"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_SOMETHING_ELSE", "anything"),
    ];
    let config = given(&variables).load().unwrap();
    let telemetry = &config.telemetry;
    let traces = telemetry.destination(SignalName::Traces).unwrap();
    assert_eq!(traces.endpoint.to_string(), "https://traces.example.com");
    assert_eq!((traces.headers.len(), traces.gzip, traces.timeout), (2, true, Duration::from_secs(3)));
    let metrics = telemetry.destination(SignalName::Metrics).unwrap();
    assert_eq!((metrics.endpoint.to_string().as_str(), metrics.headers.len()), ("http://collector:4317", 1));
    assert!(telemetry.destination(SignalName::Logs).is_none());
    assert_eq!(telemetry.sampler, Sampler { parent_based: false, ratio: 0.25 });
    assert_eq!(telemetry.service_name, "two");
    assert_eq!(telemetry.attributes, [("deployment.environment.name".to_owned(), "a b".to_owned())]);
    assert_eq!(telemetry.metrics_interval, Duration::from_millis(250));
    assert_eq!((telemetry.spans.queue, telemetry.records.delay), (7, Duration::from_millis(9)));
    assert!(!telemetry.propagate);
    for shown in [config.describe(), config.public().to_string(), format!("{telemetry:?}")] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn verdicts_own_variable_goes_over_opentelemetrys_and_that_over_the_file() {
    let endpoint = |given: Given| given.load().unwrap().telemetry.all.endpoint.unwrap().to_string();
    let file = || Given::yaml("telemetry: {endpoint: 'http://file:1'}\n");
    assert_eq!(endpoint(file()), "http://file:1");
    assert_eq!(endpoint(file().variable(COLLECTOR.0, COLLECTOR.1)), COLLECTOR.1);
    let both = file().variable(COLLECTOR.0, COLLECTOR.1).variable("VERDICT_TELEMETRY_ENDPOINT", "http://own:1");
    assert_eq!(endpoint(both), "http://own:1");
}

#[test]
fn tells_every_fault_and_shows_no_secret() {
    let wrong = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:s3cret@collector"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "10s"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_METRICS_EXPORTER", "console"),
    ];
    let faults = given(&wrong).faults();
    assert_eq!(faults.len(), wrong.len(), "{faults:#?}");
    for (name, _) in wrong {
        assert!(faults.iter().any(|fault| fault.starts_with(&format!("{name}: "))), "{name} in {faults:#?}");
    }
    assert!(!faults.concat().contains("s3cret"), "{faults:#?}");
    let (off, wrong) = (("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"));
    given(&[off, COLLECTOR, wrong]).load().expect("what is off is no reason not to start");
    given(&[wrong]).load().expect("nor is what would be off");
    let faults = given(&[("VERDICT_TELEMETRY_ENDPOINT", "http://me:s3cret@x")]).faults();
    assert!(!faults.concat().contains("s3cret"), "{faults:#?}");
}

#[test]
fn a_sink_sends_to_the_collector_of_the_log_unless_it_names_one() {
    let sinks = "decision_log: {sinks: {a: {type: otlp}, b: {type: otlp, url: 'http://other:1', token_file: /t}}}\n";
    let described = Given::yaml(sinks).variable(COLLECTOR.0, COLLECTOR.1).described();
    assert!(described.contains("url: \"http://collector:4317\"") && described.contains("url: \"http://other:1\""));
    let [fault] = &Given::yaml(sinks).faults()[..] else { panic!("one is without") };
    assert!(fault.starts_with("decision_log.sinks.a.url: is missing"), "{fault}");
    let wrong = "decision_log: {sinks: {a: {type: otlp, url: 'http://me:s3cret@x'}}}\n";
    assert!(!Given::yaml(wrong).faults().concat().contains("s3cret"));
}
