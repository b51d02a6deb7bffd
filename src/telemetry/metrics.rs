//! The metrics: one set of instruments, which Prometheus pulls and a collector of OpenTelemetry is pushed.
//!
//! A question is counted on every core at once, hundreds of thousands of times a second, so counting one must not make
//! cores wait for each other. That rules out the usual crates here: an OpenTelemetry histogram takes a mutex per record
//! (`opentelemetry_sdk` 0.33, `metrics/internal/histogram.rs`), below a lock shared by all attribute sets; `prometheus`
//! locks to find a labelled histogram, and has all cores write to the same one. So `shards` gives each thread its own
//! cache lines, which are added up when somebody asks. Almost all other figures are known only when somebody asks, too,
//! and what is left for a crate to do is to write `name{label="value"} 1`: the lines of `family`.
//!
//! Everything here is bounded: entry points by [`MAX_ENTRY_POINTS`] and by what the policies have, reasons by the texts of
//! the policies, methods and routes by what the doors have, the rest by the program's own text.
//!
//! | metric | type | labels |
//! |---|---|---|
//! | `verdict_decisions_total` | counter | `entry_point`, `effect` (`allow`, `deny`) |
//! | `verdict_decision_duration_seconds` | histogram | `entry_point` |
//! | `verdict_decision_phase_duration_seconds` | histogram | `entry_point`, `phase` (`decode`, `record`) |
//! | `verdict_decision_reasons_total` | counter | `reason` |
//! | `verdict_decision_failures_total` | counter | `code` |
//! | `verdict_call_errors_total` | counter | `reason` |
//! | `rpc_server_call_duration_seconds` | histogram | `rpc_system_name`, `rpc_method`, `rpc_response_status_code` |
//! | `http_server_request_duration_seconds` | histogram | `http_request_method`, `http_route`, `http_response_status_code` |
//! | `verdict_in_flight` | gauge | |
//! | `verdict_ready` | gauge | |
//! | `verdict_reloads_total` | counter | `result` (`ok`, `failed`) |
//! | `verdict_policy_last_reload_successful` | gauge | |
//! | `verdict_active_revision` | gauge | |
//! | `verdict_active_revision_info` | gauge, 1 | `digest` |
//! | `verdict_active_revision_age_seconds` | gauge | |
//! | `verdict_snapshot_bytes`, `verdict_snapshot_modules`, `verdict_snapshot_rules` | gauge | |
//! | `verdict_bundle_age_seconds`, `verdict_bundle_stale`, `verdict_bundle_failing` | gauge | `bundle` |
//! | `verdict_bundle_info` | gauge, 1 | `bundle`, `revision` |
//! | `verdict_decision_log_records_total` | counter | `sink`, `result` (`offered`, `delivered`, `filtered`) |
//! | `verdict_decision_log_dropped_total` | counter | `sink`, `cause` |
//! | `verdict_decision_log_withheld_total`, `verdict_decision_log_errors_total`, `verdict_decision_log_refused_total` | counter | `sink` |
//! | `verdict_decision_log_queued`, `verdict_decision_log_spooled`, `verdict_decision_log_spooled_bytes` | gauge | `sink` |
//! | `verdict_cache_requests_total` | counter | `cache`, `result` (`hit`, `miss`) |
//! | `verdict_credential_source_age_seconds` | gauge | `kind`, `source` |
//! | `verdict_credentials_total` | counter | `result` (`good`, or what was wrong) |
//! | `verdict_connections` | gauge | `door` |
//! | `verdict_connections_refused_total` | counter | `door`, `cause` |
//! | `verdict_certificate_expiry_timestamp_seconds` | gauge | `door`, `source` (`files`, `spiffe`) |
//! | `verdict_certificate_reloads_total` | counter | `door`, `result` (`ok`, `failed`) |
//! | `verdict_certificate_last_reload_successful` | gauge | `door` |
//! | `verdict_spiffe_messages_total` | counter | `result` (`ok`, `failed`) |
//! | `verdict_concurrency_limit`, `verdict_calls_queued`, `verdict_unfinished_message_bytes`, `verdict_unsent_answer_bytes` | gauge | |
//! | `verdict_calls_shed_total` | counter | `cause` |
//! | `verdict_caller_failures_total` | counter | `shown` |
//! | `verdict_caller_denials_total` | counter | `door` |
//! | `verdict_telemetry_items_total` | counter | `signal` |
//! | `verdict_telemetry_dropped_total` | counter | `signal`, `cause` |
//! | `verdict_telemetry_queued` | gauge | `signal` |
//! | `verdict_revocations` | gauge | `kind` |
//! | `verdict_security_event_tokens_total` | counter | `transmitter`, `result` |
//! | `verdict_security_event_last_timestamp_seconds` | gauge | `transmitter` |
//! | `verdict_signals`, `verdict_revocation_changes_total` | gauge, counter | |
//! | `verdict_isolated_evaluations_total` | counter | `result` (`answered`, `expired`, `refused`) |
//! | `verdict_isolated_waiting`, `verdict_isolated_stuck_threads` | gauge | |
//! | `verdict_build_info` | gauge, 1 | `version` |
//! | `verdict_clock_offset_seconds` | gauge | |
//! | `process_…` | Prometheus's standard ones | |

mod bundles;
mod calls;
mod decision_log;
mod decisions;
mod edge;
mod exports;
mod family;
mod histogram;
mod isolated;
mod labels;
mod others;
mod process;
mod reloads;
mod revocations;
pub(super) mod semantic;
mod shards;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crossbeam_utils::CachePadded;

pub use self::{
    bundles::BundleFigures,
    calls::{UNKNOWN, status_name},
    decision_log::LogFigures,
    decisions::Phase,
    edge::{CertificateFigures, DoorFigures, EdgeFigures, LoadFigures},
    family::{Family, Kind, Sample, Value},
    isolated::Isolated,
    others::{CacheFigures, SourceAge},
    reloads::ActiveRevision,
    revocations::RevocationFigures,
};
use self::{
    calls::Calls,
    decisions::Decisions,
    family::Families,
    labels::{ByLabel, OTHER},
    process::Process,
    reloads::Reloads,
    shards::Shards,
};
use super::export::ExportFigures;
use crate::clock;

/// How many entry points are told apart; further ones are counted together, as `other`.
pub const MAX_ENTRY_POINTS: usize = 100;

/// How many reasons are told apart; further ones are counted together, as `other`.
pub const MAX_REASONS: usize = 200;

/// The process's figures. A handle: clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Figures>);

/// A call that is in flight until this is dropped, on whichever thread.
#[must_use = "the call is counted for as long as this lives"]
pub struct InFlightGuard {
    _token: Option<Token>,
}

/// Its clones are the calls in flight: what counts references counts calls.
type Token = Arc<CachePadded<()>>;

struct Figures {
    decisions: Decisions,
    reasons: ByLabel<Shards<AtomicU64>>,
    failures: ByLabel<Shards<AtomicU64>>,
    calls: Calls,
    call_errors: ByLabel<Shards<AtomicU64>>,
    in_flight: Shards<Token>,
    ready: AtomicBool,
    reloads: Mutex<Reloads>,
    isolated: Mutex<Isolated>,
    bundles: Mutex<Vec<BundleFigures>>,
    log: Mutex<Vec<LogFigures>>,
    exports: Mutex<Vec<ExportFigures>>,
    caches: Mutex<Vec<CacheFigures>>,
    ages: Mutex<Vec<SourceAge>>,
    credentials: Mutex<BTreeMap<&'static str, u64>>,
    revocations: Mutex<RevocationFigures>,
    edge: Mutex<EdgeFigures>,
    process: Process,
}

impl Metrics {
    /// All figures at zero.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Figures {
            decisions: Decisions::new(MAX_ENTRY_POINTS),
            reasons: ByLabel::new(&[OTHER], MAX_REASONS),
            failures: ByLabel::new(&[], usize::MAX),
            calls: Calls::new(),
            call_errors: ByLabel::new(&[], usize::MAX),
            in_flight: Shards::default(),
            ready: AtomicBool::new(false),
            reloads: Mutex::default(),
            isolated: Mutex::default(),
            bundles: Mutex::default(),
            log: Mutex::default(),
            exports: Mutex::default(),
            caches: Mutex::default(),
            ages: Mutex::default(),
            credentials: Mutex::default(),
            revocations: Mutex::default(),
            edge: Mutex::default(),
            process: Process::new(),
        }))
    }

    /// Counts a decision. `entry_point` is `None` where the snapshot has none of that name: names that only callers
    /// know must not use up the room of those that decide.
    ///
    /// Writes only what the thread has for itself; allocates when it first sees an entry point.
    pub fn decision(&self, entry_point: Option<&str>, allowed: bool, took: Duration) {
        self.0.decisions.record(entry_point, allowed, took);
    }

    /// Measures another phase of a decision; of the same entry point.
    pub fn phase(&self, entry_point: Option<&str>, phase: Phase, took: Duration) {
        self.0.decisions.phase(entry_point, phase, took);
    }

    /// Counts a reason of a decision; `None` for one that the policies' text does not have, which may be anybody's text.
    pub fn reason(&self, code: Option<&str>) {
        self.0.reasons.with(code.unwrap_or(OTHER), increment);
    }

    /// Counts a decision that failed, by the code of what went wrong.
    pub fn failure(&self, code: &'static str) {
        self.0.failures.with(code, increment);
    }

    /// Counts a call that was answered with an error, by its code.
    pub fn call_error(&self, reason: &'static str) {
        self.0.call_errors.with(reason, increment);
    }

    /// Measures a call of gRPC; `None` for a method that there is not.
    pub fn rpc(&self, method: Option<&str>, status: usize, took: Duration) {
        self.0.calls.rpc(method, status, took);
    }

    /// Measures a request over HTTP; `None` for a path that there is not.
    pub fn http(&self, method: &'static str, route: Option<&str>, status: u16, took: Duration) {
        self.0.calls.http(method, route, status, took);
    }

    /// Counts a reload: the revision that is active since, or `None` if it failed.
    pub fn reloaded(&self, ok: Option<ActiveRevision>) {
        self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner).count(ok);
    }

    /// What became of evaluations that did not end at once; to be told before [`Self::render`].
    pub fn isolated(&self, isolated: Isolated) {
        *self.0.isolated.lock().unwrap_or_else(PoisonError::into_inner) = isolated;
    }

    /// How the bundles fare; to be told before [`Self::render`].
    pub fn bundles(&self, bundles: impl Iterator<Item = BundleFigures>) {
        *self.0.bundles.lock().unwrap_or_else(PoisonError::into_inner) = bundles.collect();
    }

    /// How the decision log fares; to be told before [`Self::render`].
    pub fn decision_log(&self, sinks: Vec<LogFigures>) {
        *self.0.log.lock().unwrap_or_else(PoisonError::into_inner) = sinks;
    }

    /// What became of telemetry that is pushed; to be told before [`Self::render`].
    pub fn exports(&self, exports: Vec<ExportFigures>) {
        *self.0.exports.lock().unwrap_or_else(PoisonError::into_inner) = exports;
    }

    /// How caches fare; to be told before [`Self::render`].
    pub fn caches(&self, caches: Vec<CacheFigures>) {
        *self.0.caches.lock().unwrap_or_else(PoisonError::into_inner) = caches;
    }

    /// How old is what credentials are verified by; to be told before [`Self::render`].
    pub fn ages(&self, ages: Vec<SourceAge>) {
        *self.0.ages.lock().unwrap_or_else(PoisonError::into_inner) = ages;
    }

    /// How many credentials were good, and what was wrong with how many; to be told before [`Self::render`].
    pub fn credentials(&self, checked: BTreeMap<&'static str, u64>) {
        *self.0.credentials.lock().unwrap_or_else(PoisonError::into_inner) = checked;
    }

    /// What is revoked; to be told before [`Self::render`].
    pub fn revocations(&self, figures: RevocationFigures) {
        *self.0.revocations.lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    /// How connections, certificates, callers and load fare; to be told before [`Self::render`].
    pub fn edge(&self, figures: EdgeFigures) {
        *self.0.edge.lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    /// Whether questions are welcome.
    pub fn ready(&self, ready: bool) {
        self.0.ready.store(ready, Relaxed);
    }

    /// After a failure, the policies are again what is active already: nothing was loaded, and nothing is wrong.
    pub fn recovered(&self) {
        self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner).last_ok = true;
    }

    /// Counts a call as in flight, until the guard is dropped.
    pub fn in_flight(&self) -> InFlightGuard {
        InFlightGuard { _token: self.0.in_flight.mine().cloned() }
    }

    /// All figures, in the text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        family::prometheus(&self.families())
    }

    /// All figures.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let mut out = Families::default();
        let Figures {
            decisions,
            calls,
            reloads,
            isolated,
            bundles,
            log,
            exports,
            caches,
            ages,
            credentials,
            revocations,
            edge,
            process,
            ..
        } = &*self.0;
        decisions.measure(&mut out);
        self.0.measure_counts(&mut out);
        calls.measure(&mut out);
        reloads.lock().unwrap_or_else(PoisonError::into_inner).measure(&mut out);
        isolated.lock().unwrap_or_else(PoisonError::into_inner).measure(&mut out);
        bundles::measure(&bundles.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        decision_log::measure(&log.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        revocations::measure(&revocations.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        others::caches(&caches.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        others::ages(&ages.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        others::credentials(&credentials.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        edge::measure(&edge.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        exports::measure(&exports.lock().unwrap_or_else(PoisonError::into_inner), &mut out);
        out.family("verdict_build_info", Kind::Gauge, "The program that runs; always 1.");
        out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
        let help =
            "How far the wall clock is from the time that revocations are judged by; below 0 where it was set back.";
        out.gauge("verdict_clock_offset_seconds", help, clock::offset());
        process.measure(&mut out);
        out.0
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn increment(count: &Shards<AtomicU64>) {
    if let Some(count) = count.mine() {
        count.fetch_add(1, Relaxed);
    }
}

impl Figures {
    fn measure_counts(&self, out: &mut Families) {
        let mut counts = |name, help, label, by_label: &ByLabel<Shards<AtomicU64>>| {
            out.family(name, Kind::Counter, help);
            for (value, count) in by_label.sorted() {
                out.sample(&[(label, &value)], count.iter().map(|count| count.load(Relaxed)).sum::<u64>());
            }
        };
        let help = "Reasons that decisions gave, by their codes.";
        counts("verdict_decision_reasons_total", help, "reason", &self.reasons);
        let help = "Decisions that failed and so were denied, by what went wrong.";
        counts("verdict_decision_failures_total", help, "code", &self.failures);
        let help = "Calls that were answered with an error, by its code.";
        counts("verdict_call_errors_total", help, "reason", &self.call_errors);
        out.gauge(
            "verdict_in_flight",
            "Calls that are being answered.",
            self.in_flight.iter().map(|token| Arc::strong_count(token).saturating_sub(1)).sum::<usize>(),
        );
        out.gauge("verdict_ready", "Whether questions are welcome.", self.ready.load(Relaxed));
    }
}

#[cfg(test)]
mod tests;
