//! The names that OpenTelemetry has for what Prometheus is told: those of its semantic conventions (1.42) where they have
//! one, and `verdict.…` for the rest.

/// What the conventions name themselves: Prometheus's name, theirs, and its unit.
const CONVENTIONS: [(&str, &str, &str); 8] = [
    ("http_server_request_duration_seconds", "http.server.request.duration", "s"),
    ("rpc_server_call_duration_seconds", "rpc.server.call.duration", "s"),
    ("process_cpu_seconds_total", "process.cpu.time", "s"),
    ("process_resident_memory_bytes", "process.memory.usage", "By"),
    ("process_virtual_memory_bytes", "process.memory.virtual", "By"),
    ("process_threads", "process.thread.count", "{thread}"),
    ("process_open_fds", "process.unix.file_descriptor.count", "{file_descriptor}"),
    ("process_max_fds", "process.unix.file_descriptor.limit", "{file_descriptor}"),
];

/// Labels of the conventions' own.
const LABELS: [(&str, &str); 6] = [
    ("http_request_method", "http.request.method"),
    ("http_response_status_code", "http.response.status_code"),
    ("http_route", "http.route"),
    ("rpc_method", "rpc.method"),
    ("rpc_response_status_code", "rpc.response.status_code"),
    ("rpc_system_name", "rpc.system.name"),
];

/// A metric's name and unit.
pub(in crate::telemetry) fn name(prometheus: &str) -> (String, &'static str) {
    if let Some((_, name, unit)) = CONVENTIONS.iter().find(|(known, ..)| *known == prometheus) {
        return ((*name).to_owned(), unit);
    }
    let base = prometheus.strip_suffix("_total").unwrap_or(prometheus);
    let (base, unit) = if let Some(base) = base.strip_suffix("_seconds") {
        (base, "s")
    } else if let Some(base) = base.strip_suffix("_bytes") {
        // What is left would be another metric's name where both are there: their units tell them apart.
        (if base.ends_with("spooled") { "verdict_decision_log_spooled_size" } else { base }, "By")
    } else {
        (base, "1")
    };
    let name = match base.split_once('_') {
        Some((space, rest)) => format!("{space}.{rest}"),
        None => base.to_owned(),
    };
    (name, unit)
}

/// A label's name.
pub(in crate::telemetry) fn label(prometheus: &str) -> String {
    LABELS.iter().find(|(known, _)| *known == prometheus).map_or(prometheus, |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        let families = Metrics::new().families();
        let names: BTreeSet<String> = families.iter().map(|family| name(family.name).0).collect();
        assert_eq!(names.len(), families.len());
        assert!(
            names
                .iter()
                .all(|name| name.starts_with("verdict.") || name.contains(".server.") || name.starts_with("process.")),
            "{names:?}"
        );
        assert_eq!(name("verdict_decisions_total"), ("verdict.decisions".to_owned(), "1"));
        assert_eq!(name("verdict_decision_duration_seconds"), ("verdict.decision_duration".to_owned(), "s"));
    }
}
