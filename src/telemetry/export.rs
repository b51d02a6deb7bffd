//! Traces, metrics and the log, pushed to a collector of OpenTelemetry.
//!
//! Off unless a collector is configured. Whatever is told to it waits in a queue that is bounded, and is sent by one
//! thread of its own: a collector that is slow or dead costs what is dropped then, and counted, and no decision anything.
//! The queues are ours, and not those of OpenTelemetry's SDK, because the SDK does not say how much it dropped.

mod config;
mod logs;
mod metrics;
mod queue;
mod traces;

use std::{sync::Arc, thread, time::Duration};

use opentelemetry_sdk::{logs::SdkLoggerProvider, trace::SdkTracerProvider};
use tokio_util::sync::CancellationToken;

pub use self::{
    config::{Batch, Config, Sampler, Signal, SignalName},
    queue::ExportFigures,
};
use self::{logs::Records, queue::Queue, traces::Spans};
use super::metrics::Family;
use crate::otlp::{Collector, OpenError};

/// What all spans and records say they come from.
const SCOPE: &str = "verdict";

/// How long what waits may take to be sent at the end of the process.
pub const FLUSH: Duration = Duration::from_secs(3);

/// Everything that is pushed. A handle: clones tell the same collector.
#[derive(Clone)]
pub struct Exports(Arc<Inner>);

struct Inner {
    config: Config,
    traces: Option<(Collector, Arc<Queue<traces::Item>>, SdkTracerProvider)>,
    logs: Option<(Collector, Arc<Queue<logs::Item>>, SdkLoggerProvider)>,
    metrics: Option<(Collector, Arc<queue::Counts>)>,
}

/// Why nothing can be pushed.
#[derive(Debug, thiserror::Error)]
#[error("telemetry: the collector of {signal}: {cause}")]
pub struct ExportError {
    signal: &'static str,
    cause: OpenError,
}

/// The thread that sends; it ends, what waits being sent, when this is told to stop.
pub struct Sending {
    stop: CancellationToken,
    ended: tokio::sync::oneshot::Receiver<()>,
}

impl Exports {
    /// Queues for what is configured. Nothing is connected or sent yet.
    pub fn open(config: Config) -> Result<Self, ExportError> {
        let collector = |signal: SignalName| {
            let fault = |cause| ExportError { signal: signal.name(), cause };
            config.destination(signal).map(|destination| destination.open()).transpose().map_err(fault)
        };
        let traces = collector(SignalName::Traces)?.map(|collector| {
            let queue = Arc::new(Queue::new(&config.spans));
            let provider = SdkTracerProvider::builder()
                .with_sampler(config.sampler.sdk())
                .with_span_processor(Spans(Arc::clone(&queue)))
                .build();
            (collector, queue, provider)
        });
        let logs = collector(SignalName::Logs)?.map(|collector| {
            let queue = Arc::new(Queue::new(&config.records));
            let provider = SdkLoggerProvider::builder().with_log_processor(Records(Arc::clone(&queue))).build();
            (collector, queue, provider)
        });
        let metrics = collector(SignalName::Metrics)?.map(|collector| (collector, Arc::default()));
        Ok(Self(Arc::new(Inner { config, traces, logs, metrics })))
    }

    /// What makes spans, where traces are pushed.
    pub fn tracer(&self) -> Option<opentelemetry_sdk::trace::SdkTracer> {
        use opentelemetry::trace::TracerProvider as _;
        self.0.traces.as_ref().map(|(_, _, provider)| provider.tracer(SCOPE))
    }

    /// Whether the trace that a call comes from is taken up.
    #[must_use]
    pub fn propagates(&self) -> bool {
        self.0.config.propagate
    }

    /// What makes records of the log, where it is pushed.
    pub(in crate::telemetry) fn logger(&self) -> Option<&SdkLoggerProvider> {
        self.0.logs.as_ref().map(|(_, _, provider)| provider)
    }

    /// What became of what was pushed.
    #[must_use]
    pub fn figures(&self) -> Vec<ExportFigures> {
        let Inner { traces, logs, metrics, .. } = &*self.0;
        let traces = traces.as_ref().map(|(_, queue, _)| queue.figures("traces"));
        let logs = logs.as_ref().map(|(_, queue, _)| queue.figures("logs"));
        let metrics = metrics.as_ref().map(|(_, counts)| counts.figures("metrics", 0));
        [traces, metrics, logs].into_iter().flatten().collect()
    }

    /// Starts sending; `measure` gives the metrics. `None` where nothing is pushed.
    pub fn send(&self, measure: Arc<dyn Fn() -> Vec<Family> + Send + Sync>) -> std::io::Result<Option<Sending>> {
        let inner = Arc::clone(&self.0);
        if inner.traces.is_none() && inner.logs.is_none() && inner.metrics.is_none() {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = CancellationToken::new();
        let (done, ended) = tokio::sync::oneshot::channel();
        let stopped = stop.clone();
        thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
            runtime.block_on(inner.run(&stopped, &measure));
            // Who waits for it no longer does not mind.
            let _ = done.send(());
        })?;
        Ok(Some(Sending { stop, ended }))
    }
}

impl Inner {
    async fn run(&self, stop: &CancellationToken, measure: &Arc<dyn Fn() -> Vec<Family> + Send + Sync>) {
        let resource = self.config.resource();
        let traces = async {
            if let Some((collector, queue, _)) = &self.traces {
                let sink = traces::Sink::new(collector, &resource);
                queue::drain(queue, &self.config.spans, sink, stop).await;
            }
        };
        let logs = async {
            if let Some((collector, queue, _)) = &self.logs {
                let sink = logs::Sink::new(collector, &resource);
                queue::drain(queue, &self.config.records, sink, stop).await;
            }
        };
        let metrics = async {
            if let Some((collector, counts)) = &self.metrics {
                metrics::push(collector, &resource, self.config.metrics_interval, counts, measure, stop).await;
            }
        };
        tokio::join!(traces, logs, metrics);
    }
}

impl Sending {
    /// Sends what waits, as far as there is time.
    pub async fn finish(self) {
        self.stop.cancel();
        if tokio::time::timeout(FLUSH, self.ended).await.is_err() {
            tracing::warn!("the collector does not take what is left; it is lost");
        }
    }
}

/// A request, or that it took too long: a collector need not keep the deadline that it is told.
async fn within<T>(
    collector: &Collector,
    request: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, tonic::Status> {
    let late = |_| tonic::Status::deadline_exceeded("the collector does not answer in time");
    tokio::time::timeout(collector.timeout(), request).await.map_err(late)?
}
