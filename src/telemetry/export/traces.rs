//! Spans to the collector.

use std::{fmt, sync::Arc, time::Duration};

use opentelemetry::Context;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use tonic::{Status, transport::Channel};

use super::{
    SCOPE,
    queue::{Deliver, Queue},
};
use crate::otlp::Collector;

pub(super) type Item = SpanData;

/// Takes spans that have ended.
pub(super) struct Spans(pub(super) Arc<Queue<Item>>);

/// Sends them.
pub(super) struct Sink<'a> {
    collector: &'a Collector,
    client: TraceServiceClient<Channel>,
    resource: &'a Resource,
}

impl SpanProcessor for Spans {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.0.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Spans")
    }
}

impl<'a> Sink<'a> {
    pub(super) fn new(collector: &'a Collector, resource: &'a Resource) -> Self {
        let mut client = TraceServiceClient::new(collector.channel());
        if let Some(encoding) = collector.compression() {
            client = client.send_compressed(encoding);
        }
        Self { collector, client, resource }
    }
}

impl Deliver<Item> for Sink<'_> {
    async fn deliver(&mut self, items: &[Item]) -> Result<u64, Status> {
        let spans = items.iter().cloned().map(Into::into).collect();
        let scope = InstrumentationScope {
            name: SCOPE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource_spans =
            vec![ResourceSpans { resource: Some(self.resource.clone()), scope_spans, ..ResourceSpans::default() }];
        let request = self.collector.request(ExportTraceServiceRequest { resource_spans });
        let answer = super::within(self.collector, self.client.export(request)).await?.into_inner();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or_default())
    }
}
