//! Settings of what is pushed: those of OpenTelemetry's specification.

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::otlp::{self, Destination, Endpoint, Headers};

/// This process.
static INSTANCE: LazyLock<uuid::Uuid> = LazyLock::new(uuid::Uuid::now_v7);

/// Settings of what is pushed.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether nothing is pushed, whatever else is said: `OTEL_SDK_DISABLED`.
    pub disabled: bool,
    /// What holds for all signals that say nothing else.
    pub all: Signal,
    /// Traces.
    pub traces: Signal,
    /// Metrics.
    pub metrics: Signal,
    /// The log.
    pub logs: Signal,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// Whether the trace that a call comes from is taken up, and told to whom Verdict calls.
    pub propagate: bool,
    /// What the service is called.
    pub service_name: String,
    /// What else is said of the process.
    pub attributes: Vec<(String, String)>,
    /// How often metrics are pushed.
    pub metrics_interval: Duration,
    /// How spans gather.
    pub spans: Batch,
    /// How records of the log gather.
    pub records: Batch,
}

/// What is said of how one signal is pushed, or all.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    /// Whether it is not pushed.
    pub off: bool,
    /// Where to; nothing is pushed without.
    pub endpoint: Option<Endpoint>,
    /// What requests have beside their messages.
    pub headers: Option<Headers>,
    /// How long a request may take.
    pub timeout: Option<Duration>,
    /// Whether requests are compressed.
    pub gzip: Option<bool>,
    /// The authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// The certificate to show.
    pub client_certificate: Option<PathBuf>,
    /// Its key.
    pub client_key: Option<PathBuf>,
}

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalName {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// The log.
    Logs,
}

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whether a trace that another began is recorded as that one says.
    pub parent_based: bool,
    /// The share of traces that are recorded otherwise, from 0 to 1.
    pub ratio: f64,
}

/// How what is pushed gathers.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The most that waits; more is dropped.
    pub queue: usize,
    /// The most of one request.
    pub most: usize,
    /// How long it may gather.
    pub delay: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            disabled: false,
            all: Signal::default(),
            traces: Signal::default(),
            metrics: Signal::default(),
            logs: Signal::default(),
            sampler: Sampler { parent_based: true, ratio: 1.0 },
            propagate: true,
            service_name: "verdict".to_owned(),
            attributes: Vec::new(),
            metrics_interval: Duration::from_secs(60),
            spans: Batch { queue: 2_048, most: 512, delay: Duration::from_secs(5) },
            records: Batch { queue: 2_048, most: 512, delay: Duration::from_secs(1) },
        }
    }
}

impl SignalName {
    /// Its name in metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

impl Config {
    /// Where a signal is pushed to, if it is.
    #[must_use]
    pub fn destination(&self, signal: SignalName) -> Option<Destination> {
        if self.disabled || self.own(signal).off { None } else { self.reach(signal) }
    }

    fn own(&self, signal: SignalName) -> &Signal {
        match signal {
            SignalName::Traces => &self.traces,
            SignalName::Metrics => &self.metrics,
            SignalName::Logs => &self.logs,
        }
    }

    /// Where a signal would be pushed to, even if it is off.
    #[must_use]
    pub fn reach(&self, signal: SignalName) -> Option<Destination> {
        let Signal { off: _, endpoint, headers, timeout, gzip, ca_file, client_certificate, client_key } =
            self.own(signal);
        let all = &self.all;
        let certificate = client_certificate.clone().or_else(|| all.client_certificate.clone());
        let key = client_key.clone().or_else(|| all.client_key.clone());
        Some(Destination {
            endpoint: endpoint.clone().or_else(|| all.endpoint.clone())?,
            headers: headers.clone().or_else(|| all.headers.clone()).unwrap_or_default(),
            timeout: timeout.or(all.timeout).unwrap_or(Duration::from_secs(10)),
            gzip: gzip.or(all.gzip).unwrap_or(false),
            ca_file: ca_file.clone().or_else(|| all.ca_file.clone()),
            identity: certificate.zip(key),
        })
    }

    /// What is said of the process, by name: what the operator says goes before what is found out.
    #[must_use]
    pub fn described(&self) -> Vec<(String, String)> {
        let found = [
            ("service.name", self.service_name.clone()),
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", INSTANCE.to_string()),
            ("process.pid", std::process::id().to_string()),
            ("telemetry.sdk.language", "rust".to_owned()),
            ("telemetry.sdk.name", "opentelemetry".to_owned()),
            ("telemetry.sdk.version", "0.33.1".to_owned()),
        ];
        let mut described = self.attributes.clone();
        for (name, value) in found {
            if !described.iter().any(|(said, _)| said == name) {
                described.push((name.to_owned(), value));
            }
        }
        described
    }

    pub(super) fn resource(&self) -> Resource {
        otlp::resource(&self.described())
    }
}

impl Sampler {
    pub(super) fn sdk(self) -> opentelemetry_sdk::trace::Sampler {
        use opentelemetry_sdk::trace::Sampler as Sdk;
        let root = if self.ratio >= 1.0 {
            Sdk::AlwaysOn
        } else if self.ratio <= 0.0 {
            Sdk::AlwaysOff
        } else {
            Sdk::TraceIdRatioBased(self.ratio)
        };
        if self.parent_based { Sdk::ParentBased(Box::new(root)) } else { root }
    }
}
