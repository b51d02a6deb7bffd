//! A collector of OpenTelemetry: each record is a record of its log (OTLP over gRPC), in the trace of its decision.

use std::{fs, path::PathBuf, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use chrono::DateTime;
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
    common::v1::{AnyValue, InstrumentationScope, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
    resource::v1::Resource,
};
use serde::Deserialize;
use tokio::runtime::Runtime;
use tonic::{
    Request, Status,
    metadata::{AsciiMetadataKey, AsciiMetadataValue},
    transport::Channel,
};

use super::{Context, Failure, Sink};
use crate::{
    audit::{
        figures::Cause,
        lines::{Lines, Numbered},
        traces::{self, Traces},
    },
    call::SpanName,
    otlp::{self, Collector, Destination},
};

pub(super) struct Settings {
    pub(super) destination: Destination,
    pub(super) resource: Vec<(String, String)>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) request_bytes: usize,
    pub(super) delay: Duration,
}

pub(super) struct Otlp {
    // Before what it runs on goes.
    client: LogsServiceClient<Channel>,
    collector: Collector,
    resource: Resource,
    token_file: Option<PathBuf>,
    request_bytes: usize,
    delay: Duration,
    traces: Arc<dyn Traces>,
    runtime: Runtime,
}

/// What of a record is said beside it.
#[derive(Deserialize)]
struct Marks<'r> {
    decision_id: &'r str,
    #[serde(alias = "timestamp")]
    time: &'r str,
    #[serde(default)]
    effect: Option<&'r str>,
    #[serde(default)]
    door: Option<&'r str>,
    #[serde(default)]
    trace_id: Option<&'r str>,
    #[serde(default)]
    span_id: Option<&'r str>,
    #[serde(default)]
    trace_sampled: bool,
}

impl Otlp {
    pub(super) fn open(settings: Settings, traces: Arc<dyn Traces>) -> Result<Self, String> {
        let Settings { destination, resource, token_file, request_bytes, delay } = settings;
        let collector = destination.open().map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let channel = {
            let _inside = runtime.enter();
            collector.channel()
        };
        let mut client = LogsServiceClient::new(channel);
        if let Some(encoding) = collector.compression() {
            client = client.send_compressed(encoding);
        }
        let resource = otlp::resource(&resource);
        Ok(Self { client, collector, resource, token_file, request_bytes, delay, traces, runtime })
    }

    /// The token of now, as a header that is not shown.
    fn authorize<T>(&self, request: &mut Request<T>) -> Result<(), Failure> {
        let Some(path) = &self.token_file else { return Ok(()) };
        let failed = |problem: &str| Failure::new(format!("token_file: `{}` {problem}", path.display()));
        let token = fs::read_to_string(path).map_err(|error| failed(&format!("cannot be read: {error}")))?;
        let value: Result<AsciiMetadataValue, _> = format!("Bearer {}", token.trim()).parse();
        let mut value = value.map_err(|_| failed("has more than one line"))?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
        Ok(())
    }

    /// Sends the first records, and says how many the collector rejected.
    fn send(&mut self, records: &Lines, count: usize, sink: &str) -> Result<u64, Attempt> {
        let scope = InstrumentationScope {
            name: "verdict.decision_log".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let log_records = records.iter().take(count).map(record).collect();
        let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() }];
        let resource_logs =
            vec![ResourceLogs { resource: Some(self.resource.clone()), scope_logs, ..ResourceLogs::default() }];
        let mut request = self.collector.request(ExportLogsServiceRequest { resource_logs });
        self.authorize(&mut request).map_err(Attempt::NotSent)?;
        let delivery = self.traces.delivery(sink, &traces::spans(records, count));
        for (name, value) in delivery.iter().flat_map(|delivery| delivery.headers()) {
            if let (Ok(name), Ok(value)) = (AsciiMetadataKey::from_bytes(name.as_bytes()), value.parse()) {
                request.metadata_mut().insert(name, value);
            }
        }
        let (client, timeout) = (&mut self.client, self.collector.timeout());
        let answer = self.runtime.block_on(async {
            let late = |_| Status::deadline_exceeded("the collector does not answer in time");
            tokio::time::timeout(timeout, client.export(request)).await.map_err(late)?
        });
        if let Some(delivery) = delivery {
            delivery.end(answer.is_ok());
        }
        let answer = answer.map_err(|status| Attempt::Refused(otlp::Failure::of(&status), otlp::cause(&status)))?;
        let rejected = answer.into_inner().partial_success.map_or(0, |partial| partial.rejected_log_records);
        Ok(u64::try_from(rejected).unwrap_or_default().min(count as u64))
    }
}

/// Why records were not taken.
enum Attempt {
    NotSent(Failure),
    Refused(otlp::Failure, String),
}

impl Sink for Otlp {
    fn deliver(&mut self, records: &mut Lines, context: &Context<'_>) -> Result<(), Failure> {
        // How many the collector lets pass at once, once it has refused more.
        let mut at_most = usize::MAX;
        while !records.is_empty() {
            let count = super::fitting(records, self.request_bytes).min(at_most);
            match self.send(records, count, context.sink) {
                Ok(rejected) => {
                    records.remove(count);
                    context.counts.delivered.fetch_add(count as u64 - rejected, Relaxed);
                    if rejected > 0 {
                        lost(context, Cause::Rejected, rejected);
                    }
                    at_most = at_most.saturating_mul(2);
                }
                Err(Attempt::NotSent(failure)) => return Err(failure),
                Err(Attempt::Refused(otlp::Failure::Again, cause)) => return Err(Failure::new(cause)),
                Err(Attempt::Refused(..)) if count > 1 => at_most = count / 2,
                Err(Attempt::Refused(failure, _)) => {
                    records.remove(1);
                    let too_large = failure == otlp::Failure::TooLarge;
                    lost(context, if too_large { Cause::TooLarge } else { Cause::Rejected }, 1);
                }
            }
        }
        Ok(())
    }

    fn makes_chunks(&self) -> bool {
        true
    }

    fn linger(&self) -> Duration {
        self.delay
    }
}

fn lost(context: &Context<'_>, cause: Cause, records: u64) {
    context.counts.lose(cause, records);
    if context.counts.worth_saying(cause.name()) {
        tracing::error!(sink = context.sink, cause = cause.name(), "the collector refuses records; they are lost");
    }
}

/// A record of the collector's log: the decision's whole record is its body.
fn record(numbered: Numbered<'_>) -> LogRecord {
    let body = String::from_utf8_lossy(numbered.line).into_owned();
    let mut record = LogRecord {
        event_name: "verdict.decision".to_owned(),
        severity_number: SeverityNumber::Info.into(),
        severity_text: "INFO".to_owned(),
        ..LogRecord::default()
    };
    if let Ok(marks) = serde_json::from_slice::<Marks<'_>>(numbered.line) {
        let Marks { decision_id, time, effect, door, trace_id, span_id, trace_sampled } = marks;
        record.attributes.push(otlp::text("verdict.decision_id", decision_id));
        record.attributes.extend(effect.map(|effect| otlp::text("verdict.effect", effect)));
        record.attributes.extend(door.map(|door| otlp::text("verdict.door", door)));
        let nanos = DateTime::parse_from_rfc3339(time).ok().and_then(|time| time.timestamp_nanos_opt());
        record.time_unix_nano = nanos.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or_default();
        record.observed_time_unix_nano = record.time_unix_nano;
        let span = trace_id.zip(span_id).and_then(|(trace, span)| SpanName::read(trace, span, trace_sampled));
        if let Some(SpanName { trace_id, span_id, sampled }) = span {
            (record.trace_id, record.span_id) = (trace_id.to_vec(), span_id.to_vec());
            record.flags = sampled.into();
        }
    }
    record.body = Some(AnyValue { value: Some(Value::StringValue(body)) });
    record
}
