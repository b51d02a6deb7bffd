//! OpenTelemetry's own variables (its specification, "Environment Variable Specification" and "OTLP exporter"): those that
//! Verdict knows. They go over the file, and Verdict's own over them.
//!
//! A variable that is set to nothing is not set, as the specification has it. Values of headers are never shown.

use std::{collections::BTreeMap, ffi::OsString, time::Duration};

use percent_encoding::percent_decode_str;

use super::{
    Config,
    fault::{Fault, excerpt},
};
use crate::{
    otlp::{Endpoint, Headers},
    telemetry::export::{Batch, Sampler, Signal},
};

/// What the variables of a signal have in their names.
const SIGNALS: [&str; 3] = ["TRACES_", "METRICS_", "LOGS_"];

/// The variables, as they are read.
struct Variables<'a> {
    given: BTreeMap<String, OsString>,
    faults: &'a mut Vec<Fault>,
}

/// Reads the variables into the configuration.
pub(super) fn apply(all: &[(OsString, OsString)], config: &mut Config, faults: &mut Vec<Fault>) {
    let given = all.iter().filter_map(|(name, value)| {
        let name = name.to_str().filter(|name| name.starts_with("OTEL_"))?;
        (!value.is_empty()).then(|| (name.to_owned(), value.clone()))
    });
    let mut variables = Variables { given: given.collect(), faults };
    let telemetry = &mut config.telemetry;
    let before = variables.faults.len();
    let named = |(name, _): &(OsString, OsString)| {
        name.to_str().is_some_and(|name| {
            (name.starts_with("OTEL_EXPORTER_OTLP_") && name.ends_with("ENDPOINT"))
                || name == "VERDICT_TELEMETRY_ENDPOINT"
        })
    };
    let pushed = telemetry.all.endpoint.is_some() || all.iter().any(named);
    if let Some(disabled) = variables.switch("OTEL_SDK_DISABLED") {
        telemetry.disabled = disabled;
    }
    if telemetry.disabled {
        // What is off is no reason not to start.
        return;
    }
    variables.signal("", &mut telemetry.all);
    for (name, signal) in SIGNALS.into_iter().zip([&mut telemetry.traces, &mut telemetry.metrics, &mut telemetry.logs])
    {
        variables.signal(name, signal);
        if let Some(exporter) = variables.take(&format!("OTEL_{name}EXPORTER")) {
            signal.off = !exporter.split(',').any(|exporter| exporter.trim() == "otlp");
            let known = |exporter: &str| matches!(exporter.trim(), "otlp" | "none" | "prometheus");
            if !exporter.split(',').all(known) {
                variables.fault(&format!("OTEL_{name}EXPORTER"), &exporter, "`otlp` or `none`");
            }
        }
    }
    if let Some(sampler) = variables.sampler() {
        telemetry.sampler = sampler;
    }
    if let Some(propagators) = variables.take("OTEL_PROPAGATORS") {
        telemetry.propagate = propagators.split(',').any(|propagator| propagator.trim() == "tracecontext");
    }
    variables.resource(&mut telemetry.service_name, &mut telemetry.attributes);
    if let Some(interval) = variables.milliseconds("OTEL_METRIC_EXPORT_INTERVAL") {
        telemetry.metrics_interval = interval.max(Duration::from_millis(1));
    }
    variables.batch("OTEL_BSP_", &mut telemetry.spans);
    variables.batch("OTEL_BLRP_", &mut telemetry.records);
    if !pushed {
        // Nor is what would be off in any case.
        variables.faults.truncate(before);
    }
}

impl Variables<'_> {
    fn take(&mut self, name: &str) -> Option<String> {
        let value = self.given.remove(name)?.into_string().ok();
        if value.is_none() {
            self.faults.push(Fault::new(name, "the value is not UTF-8", "text"));
        }
        value
    }

    fn fault(&mut self, name: &str, value: &str, expected: &str) {
        self.faults.push(Fault::new(name, format!("`{}` is not understood", excerpt(value)), expected));
    }

    /// What the specification has of how to reach a collector, in general or of one signal.
    fn signal(&mut self, infix: &str, signal: &mut Signal) {
        let name = |what: &str| format!("OTEL_EXPORTER_OTLP_{infix}{what}");
        let insecure = self.switch(&name("INSECURE")).unwrap_or(false);
        if let Some(endpoint) = self.take(&name("ENDPOINT")) {
            match Endpoint::parse(&endpoint, insecure) {
                Ok(endpoint) => signal.endpoint = Some(endpoint),
                // It may have a password in it.
                Err(invalid) => self.faults.push(Fault::new(
                    name("ENDPOINT"),
                    invalid.to_string(),
                    "the address of a collector such as `http://localhost:4317`",
                )),
            }
        }
        if let Some(headers) = self.take(&name("HEADERS")) {
            match Headers::parse(&headers) {
                Ok(headers) => signal.headers = Some(headers),
                Err(invalid) => {
                    self.faults.push(Fault::new(name("HEADERS"), invalid.to_string(), "`name=value,name=value`"));
                }
            }
        }
        if let Some(timeout) = self.milliseconds(&name("TIMEOUT")) {
            signal.timeout = Some(timeout.max(Duration::from_millis(1)));
        }
        match self.take(&name("COMPRESSION")).as_deref() {
            None => {}
            Some("gzip") => signal.gzip = Some(true),
            Some("none") => signal.gzip = Some(false),
            Some(other) => self.fault(&name("COMPRESSION"), other, "`gzip` or `none`"),
        }
        match self.take(&name("PROTOCOL")).as_deref() {
            None | Some("grpc") => {}
            Some(other) => self.fault(&name("PROTOCOL"), other, "`grpc`, the only one that Verdict speaks"),
        }
        let mut file = |what: &str| self.take(&name(what)).map(Into::into);
        let (ca_file, certificate, key) = (file("CERTIFICATE"), file("CLIENT_CERTIFICATE"), file("CLIENT_KEY"));
        signal.ca_file = ca_file.or(signal.ca_file.take());
        signal.client_certificate = certificate.or(signal.client_certificate.take());
        signal.client_key = key.or(signal.client_key.take());
    }

    fn sampler(&mut self) -> Option<Sampler> {
        const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let argument = self.take(ARGUMENT);
        let name = self.take(SAMPLER)?;
        let (parent_based, root) =
            name.strip_prefix("parentbased_").map_or((false, name.as_str()), |root| (true, root));
        let ratio = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => match argument.as_deref().unwrap_or("1").trim().parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
                _ => {
                    self.fault(ARGUMENT, argument.as_deref().unwrap_or_default(), "a number from 0 to 1");
                    return None;
                }
            },
            _ => {
                let expected = "`always_on`, `always_off` or `traceidratio`, or one of them after `parentbased_`";
                self.fault(SAMPLER, &name, expected);
                return None;
            }
        };
        Some(Sampler { parent_based, ratio })
    }

    /// `OTEL_RESOURCE_ATTRIBUTES` and, over it, `OTEL_SERVICE_NAME`.
    fn resource(&mut self, service: &mut String, attributes: &mut Vec<(String, String)>) {
        const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
        if let Some(given) = self.take(ATTRIBUTES) {
            for pair in given.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
                let pair = pair.split_once('=').and_then(|(name, value)| {
                    Some((name.trim(), percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned()))
                });
                match pair {
                    Some(("", _)) | None => {
                        self.fault(ATTRIBUTES, &given, "`name=value,name=value`");
                        break;
                    }
                    Some(("service.name", value)) => *service = value,
                    Some((name, value)) => attributes.push((name.to_owned(), value)),
                }
            }
        }
        if let Some(name) = self.take("OTEL_SERVICE_NAME") {
            *service = name;
        }
    }

    fn batch(&mut self, prefix: &str, batch: &mut Batch) {
        if let Some(queue) = self.number(&format!("{prefix}MAX_QUEUE_SIZE")) {
            batch.queue = usize::try_from(queue).unwrap_or(usize::MAX).clamp(1, 1 << 20);
        }
        if let Some(most) = self.number(&format!("{prefix}MAX_EXPORT_BATCH_SIZE")) {
            batch.most = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, 1 << 16);
        }
        if let Some(delay) = self.milliseconds(&format!("{prefix}SCHEDULE_DELAY")) {
            batch.delay = delay.max(Duration::from_millis(1));
        }
    }

    /// Anything but `true` is false, as the specification has it.
    fn switch(&mut self, name: &str) -> Option<bool> {
        self.take(name).map(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    fn milliseconds(&mut self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_millis)
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        let value = self.take(name)?;
        let number = value.trim().parse::<u32>().ok();
        if number.is_none() {
            self.fault(name, &value, "a whole number, of milliseconds where it is a time");
        }
        number.map(u64::from)
    }
}
