//! The log to the collector.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use opentelemetry::{
    InstrumentationScope as Scope,
    logs::LogRecord as _,
    trace::{TraceContextExt as _, TraceFlags},
};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
    common::v1::InstrumentationScope,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord},
};
use tonic::{Status, transport::Channel};

use super::queue::{Deliver, Queue};
use crate::{call, otlp::Collector};

pub(super) type Item = SdkLogRecord;

/// Takes records of the log.
pub(super) struct Records(pub(super) Arc<Queue<Item>>);

/// Sends them.
pub(super) struct Sink<'a> {
    collector: &'a Collector,
    client: LogsServiceClient<Channel>,
    resource: &'a Resource,
}

impl LogProcessor for Records {
    fn emit(&self, record: &mut SdkLogRecord, _: &Scope) {
        // What is logged for a call belongs to its trace.
        call::current(|call| {
            let span = call.context().span();
            let span = span.span_context();
            if span.is_valid() {
                let flags = TraceFlags::default().with_sampled(span.is_sampled());
                record.set_trace_context(span.trace_id(), span.span_id(), Some(flags));
            }
        });
        self.0.push(record.clone());
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Records")
    }
}

impl<'a> Sink<'a> {
    pub(super) fn new(collector: &'a Collector, resource: &'a Resource) -> Self {
        let mut client = LogsServiceClient::new(collector.channel());
        if let Some(encoding) = collector.compression() {
            client = client.send_compressed(encoding);
        }
        Self { collector, client, resource }
    }
}

impl Deliver<Item> for Sink<'_> {
    async fn deliver(&mut self, items: &[Item]) -> Result<u64, Status> {
        // A module of the program is a scope.
        let mut scopes: BTreeMap<&str, Vec<LogRecord>> = BTreeMap::new();
        for item in items {
            let module = item.target().map_or(super::SCOPE, |target| target);
            scopes.entry(module).or_default().push(item.into());
        }
        let scope_logs = scopes.into_iter().map(|(name, log_records)| {
            let scope = InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() };
            ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() }
        });
        let scope_logs = scope_logs.collect();
        let resource_logs =
            vec![ResourceLogs { resource: Some(self.resource.clone()), scope_logs, ..ResourceLogs::default() }];
        let request = self.collector.request(ExportLogsServiceRequest { resource_logs });
        let answer = super::within(self.collector, self.client.export(request)).await?.into_inner();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_log_records);
        Ok(u64::try_from(rejected).unwrap_or_default())
    }
}
