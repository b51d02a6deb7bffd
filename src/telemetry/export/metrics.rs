//! Metrics to the collector: the same figures that Prometheus is told, pushed now and then.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient},
    common::v1::{InstrumentationScope, KeyValue},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric::Data, number_data_point::Value as Number,
    },
    resource::v1::Resource,
};
use tokio_util::sync::CancellationToken;

use super::{SCOPE, queue::Counts};
use crate::{
    clock,
    otlp::{self, Collector},
    telemetry::metrics::{Family, Kind, Sample, Value, semantic},
};

/// Pushes every `interval`, and once more at the end.
pub(super) async fn push(
    collector: &Collector,
    resource: &Resource,
    interval: Duration,
    counts: &Counts,
    measure: &Arc<dyn Fn() -> Vec<Family> + Send + Sync>,
    stop: &CancellationToken,
) {
    let began = nanos(clock::now());
    let mut client = MetricsServiceClient::new(collector.channel());
    if let Some(encoding) = collector.compression() {
        client = client.send_compressed(encoding);
    }
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = stop.cancelled() => {}
        }
        let families = measure();
        let points = families.iter().map(|family| family.samples.len() as u64).sum();
        let metrics = families.iter().map(|family| metric(family, began, nanos(clock::now()))).collect();
        let scope = InstrumentationScope {
            name: SCOPE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }];
        let resource_metrics =
            vec![ResourceMetrics { resource: Some(resource.clone()), scope_metrics, ..ResourceMetrics::default() }];
        let request = collector.request(ExportMetricsServiceRequest { resource_metrics });
        // Not tried again: what comes next says it all, too.
        let outcome = super::within(collector, client.export(request)).await.map(|answer| {
            let rejected = answer.into_inner().partial_success.map_or(0, |partial| partial.rejected_data_points);
            u64::try_from(rejected).unwrap_or_default()
        });
        if let Err(status) = &outcome {
            counts.complain(status);
        }
        counts.count(points, &outcome);
        if stop.is_cancelled() {
            return;
        }
    }
}

fn metric(family: &Family, began: u64, now: u64) -> Metric {
    let (name, unit) = semantic::name(family.name);
    let cumulative = AggregationTemporality::Cumulative.into();
    let numbers = || family.samples.iter().filter_map(|sample| number(sample, began, now)).collect();
    let data = match family.kind {
        Kind::Counter => {
            Data::Sum(Sum { data_points: numbers(), aggregation_temporality: cumulative, is_monotonic: true })
        }
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
        Kind::Histogram => {
            let points = family.samples.iter().filter_map(|sample| histogram(sample, began, now));
            Data::Histogram(Histogram { data_points: points.collect(), aggregation_temporality: cumulative })
        }
    };
    Metric { name, unit: unit.to_owned(), description: family.help.to_owned(), data: Some(data), ..Metric::default() }
}

fn number(sample: &Sample, began: u64, now: u64) -> Option<NumberDataPoint> {
    let value = match &sample.value {
        Value::Integer(number) => Number::AsInt(i64::try_from(*number).unwrap_or(i64::MAX)),
        Value::Float(number) => Number::AsDouble(*number),
        Value::Histogram { .. } => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: began,
        time_unix_nano: now,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn histogram(sample: &Sample, began: u64, now: u64) -> Option<HistogramDataPoint> {
    let Value::Histogram { bounds, counts, sum } = &sample.value else { return None };
    Some(HistogramDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: began,
        time_unix_nano: now,
        count: counts.iter().sum(),
        sum: Some(sum.as_secs_f64()),
        bucket_counts: counts.clone(),
        explicit_bounds: bounds.iter().map(|bound| Duration::from_nanos(*bound).as_secs_f64()).collect(),
        ..HistogramDataPoint::default()
    })
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    sample.labels.iter().map(|(name, value)| otlp::text(&semantic::label(name), value.as_str())).collect()
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
