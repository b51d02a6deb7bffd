//! A collector: keeps what it is sent.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::{Metric, metric::Data},
    resource::v1::Resource,
    trace::v1::Span,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, metadata::MetadataMap, transport::Server};

use crate::support::{Serve, eventually};

/// What the receiver does with what comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Does {
    #[default]
    Takes,
    Refuses,
    Sleeps,
}

#[derive(Clone, Default)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    does: Arc<Mutex<Does>>,
    heads: Arc<Mutex<Vec<MetadataMap>>>,
    resources: Arc<Mutex<Vec<Resource>>>,
    spans: Arc<Mutex<Vec<Span>>>,
    metrics: Arc<Mutex<Vec<Metric>>>,
    logs: Arc<Mutex<Vec<(String, LogRecord)>>>,
    raw: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self { url, ..Self::default() };
        let gzip = tonic::codec::CompressionEncoding::Gzip;
        let server = Server::builder()
            .add_service(TraceServiceServer::new(receiver.clone()).accept_compressed(gzip))
            .add_service(MetricsServiceServer::new(receiver.clone()).accept_compressed(gzip))
            .add_service(LogsServiceServer::new(receiver.clone()).accept_compressed(gzip))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        receiver
    }

    /// A server that pushes here, often.
    pub(crate) fn told_by(&self, serve: Serve) -> Serve {
        serve
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url)
            .env("OTEL_BSP_SCHEDULE_DELAY", "50")
            .env("OTEL_BLRP_SCHEDULE_DELAY", "50")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "200")
    }

    pub(crate) fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    /// Waits for a span with this name.
    pub(crate) async fn span(&self, name: &str) -> Span {
        eventually(name, async || self.spans().into_iter().find(|span| span.name == name)).await
    }

    pub(crate) fn logs(&self) -> Vec<(String, LogRecord)> {
        self.logs.lock().unwrap().clone()
    }

    /// The latest of each metric.
    pub(crate) fn metric(&self, name: &str) -> Option<Metric> {
        self.metrics.lock().unwrap().iter().rev().find(|metric| metric.name == name).cloned()
    }

    /// The names of the metrics that came.
    pub(crate) fn names(&self) -> Vec<String> {
        self.metrics.lock().unwrap().iter().map(|metric| metric.name.clone()).collect()
    }

    pub(crate) fn heads(&self) -> Vec<MetadataMap> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn resources(&self) -> Vec<Resource> {
        self.resources.lock().unwrap().clone()
    }

    /// Everything that came, in words.
    pub(crate) fn everything(&self) -> String {
        format!("{}{:?}", self.raw.lock().unwrap().concat(), self.heads())
    }

    async fn came(&self, head: &MetadataMap, message: &impl std::fmt::Debug) -> Result<(), Status> {
        self.heads.lock().unwrap().push(head.clone());
        let does = *self.does.lock().unwrap();
        match does {
            Does::Takes => {}
            Does::Refuses => return Err(Status::unavailable("not now")),
            Does::Sleeps => tokio::time::sleep(Duration::from_secs(60)).await,
        }
        self.raw.lock().unwrap().push(format!("{message:?}"));
        Ok(())
    }
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let (head, _, message) = request.into_parts();
        self.came(&head, &message).await?;
        for of in message.resource_spans {
            self.resources.lock().unwrap().extend(of.resource);
            self.spans.lock().unwrap().extend(of.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let (head, _, message) = request.into_parts();
        self.came(&head, &message).await?;
        for of in message.resource_metrics {
            self.metrics.lock().unwrap().extend(of.scope_metrics.into_iter().flat_map(|scope| scope.metrics));
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let (head, _, message) = request.into_parts();
        self.came(&head, &message).await?;
        for scope in message.resource_logs.into_iter().flat_map(|of| of.scope_logs) {
            let name = scope.scope.unwrap().name;
            self.logs.lock().unwrap().extend(scope.log_records.into_iter().map(|record| (name.clone(), record)));
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

/// An attribute, as text.
pub(crate) fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

/// The attributes of each of a metric's points, and how much it counts.
pub(crate) fn points(metric: &Metric) -> Vec<(Vec<KeyValue>, f64)> {
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
    #[allow(clippy::cast_precision_loss, reason = "counts are small here")]
    let number = |value: Option<Number>| match value.unwrap() {
        Number::AsDouble(number) => number,
        Number::AsInt(number) => number as f64,
    };
    #[allow(clippy::cast_precision_loss, reason = "counts are small here")]
    match metric.data.clone().unwrap() {
        Data::Gauge(gauge) => {
            gauge.data_points.into_iter().map(|point| (point.attributes, number(point.value))).collect()
        }
        Data::Sum(sum) => sum.data_points.into_iter().map(|point| (point.attributes, number(point.value))).collect(),
        Data::Histogram(histogram) => {
            histogram.data_points.into_iter().map(|point| (point.attributes, point.count as f64)).collect()
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}
