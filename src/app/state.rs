//! What the server as a whole is doing: told by the reloader and the doors, asked by health, status and metrics.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{
    edge::Edge,
    measured::{Measured, Names},
};
use crate::{
    api::{
        Observer,
        administration::Administration as _,
        ops,
        settle::{Decided, Kept, SearchEnded, Settled},
    },
    audit::{Cause, Log, SinkFigures},
    decision::{Decider, Evaluator, NotAt, Replaced, Revision, Verdict},
    issuers::{self, Issuers},
    policy::{self, Redaction, Size, Snapshot},
    reload::{self, Failure, Sink},
    revocation::{self, Registry},
    ssf::{self, Receiver},
    telemetry::{
        doors::{Layer, Protocol},
        export::Exports,
        metrics::{
            ActiveRevision, BundleFigures, CacheFigures, Family, Isolated, LogFigures, Metrics, RevocationFigures,
            SourceAge,
        },
        spans::Spans,
    },
};

/// Whether questions are welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    /// No policies are active yet.
    NotReady,
    /// Policies are active.
    Ready,
    /// Policies are active, but too old to be trusted.
    Stale,
    /// The server is shutting down.
    Draining,
}

/// The server's state.
pub(super) struct State {
    decider: Arc<Decider>,
    metrics: Metrics,
    spans: Spans,
    exports: Exports,
    /// What the policies call their reasons.
    names: ArcSwap<Names>,
    /// What explanations hide.
    redact: Redaction,
    serving: watch::Sender<Serving>,
    handle: OnceLock<reload::Handle>,
    log: OnceLock<Arc<Log>>,
    issuers: OnceLock<Issuers>,
    edge: OnceLock<Edge>,
    registry: Registry,
    receiver: Receiver,
    // Written by reloads, read by the HTTP door: never on the way of a question.
    reload: Mutex<Reload>,
}

#[derive(Default)]
struct Reload {
    active: Option<Revision>,
    error: Option<String>,
    stale: Vec<String>,
    /// By sequence, for what is published again.
    sizes: BTreeMap<u64, Size>,
}

/// Publications whose sizes are known.
const SIZES: usize = 128;

impl State {
    pub(super) fn new(
        decider: Arc<Decider>,
        metrics: Metrics,
        (registry, receiver): (Registry, Receiver),
        exports: Exports,
        redact: Redaction,
    ) -> Self {
        metrics.ready(false);
        Self {
            decider,
            metrics,
            spans: Spans::new(exports.tracer(), exports.propagates()),
            exports,
            names: ArcSwap::default(),
            redact,
            serving: watch::Sender::new(Serving::NotReady),
            handle: OnceLock::new(),
            log: OnceLock::new(),
            issuers: OnceLock::new(),
            edge: OnceLock::new(),
            registry,
            receiver,
            reload: Mutex::default(),
        }
    }

    /// Lets metrics show how this fares.
    pub(super) fn follow(&self, handle: reload::Handle) {
        let _ = self.handle.set(handle);
    }

    /// Lets metrics show how credentials fare.
    pub(super) fn know(&self, issuers: Issuers) {
        let _ = self.issuers.set(issuers);
    }

    /// Lets metrics show how connections, certificates, callers and load fare.
    pub(super) fn know_edge(&self, edge: Edge) {
        let _ = self.edge.set(edge);
    }

    /// Has everything that is followed looked at now: policies, certificates, keys, grants.
    pub(super) fn look_again(&self) {
        if let Some(edge) = self.edge.get() {
            edge.look_again();
        }
        if let Some(handle) = self.handle.get() {
            handle.look_again();
        }
    }

    /// Has every verdict recorded from here on.
    pub(super) fn record_in(&self, log: Arc<Log>) {
        let _ = self.log.set(log);
    }

    /// Follows whether questions are welcome.
    pub(super) fn serving(&self) -> watch::Receiver<Serving> {
        self.serving.subscribe()
    }

    /// Whether questions are welcome, and if not, why.
    pub(super) fn serves(&self) -> Serving {
        *self.serving.borrow()
    }

    /// Questions are no longer welcome.
    pub(super) fn drain(&self) {
        self.metrics.ready(false);
        self.serving.send_replace(Serving::Draining);
    }

    /// Another revision is active.
    fn active(&self, revision: Revision, size: Size, entry_points: &str) {
        let Size { modules, rules, bytes } = size;
        self.metrics.reloaded(Some(ActiveRevision {
            sequence: revision.sequence,
            digest: revision.digest.to_string(),
            bytes,
            modules,
            rules,
        }));
        let Revision { sequence, digest, bundles } = revision.clone();
        self.with_reload(|reload| {
            (reload.active, reload.error) = (Some(revision), None);
            reload.sizes.insert(sequence, size);
            while reload.sizes.len() > SIZES {
                reload.sizes.pop_first();
            }
        });
        self.serve();
        tracing::info!(sequence, %digest, ?bundles, modules, rules, bytes, entry_points, "policies active");
    }

    /// Says whether questions are welcome, by what is active and how old it is. A server that drains stays so.
    fn serve(&self) {
        let stale = self.with_reload(|reload| !reload.stale.is_empty());
        let changed = self.serving.send_if_modified(|serving| {
            let next = match *serving {
                Serving::Draining => Serving::Draining,
                _ if !self.decider.is_ready() => Serving::NotReady,
                _ if stale => Serving::Stale,
                _ => Serving::Ready,
            };
            std::mem::replace(serving, next) != next
        });
        if changed {
            self.metrics.ready(*self.serving.borrow() == Serving::Ready);
        }
    }

    fn with_reload<T>(&self, change: impl FnOnce(&mut Reload) -> T) -> T {
        change(&mut self.reload.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for State {
    fn publish(&self, snapshot: Arc<Snapshot>) -> Replaced {
        let revision = snapshot.revision().clone();
        let size = snapshot.size();
        let entry_points = snapshot.entry_points().join(" ");
        if snapshot.entry_points().is_empty() {
            tracing::warn!(
                "no package has a rule `decision` or `allow`: only questions that name a rule can be answered"
            );
        }
        if snapshot.warnings() > 0 {
            tracing::warn!(warnings = snapshot.warnings(), "the policies have warnings; `verdict lint` shows them");
        }
        let default = self.decider.default_policy().clone();
        if !snapshot.has_entry(&default) {
            tracing::warn!(default_policy = %default, "there is no such rule or package: questions that name none are denied");
        }
        snapshot.redact(self.redact.clone());
        self.names.store(Arc::new(Names::of(&*snapshot)));
        let replaced = self.decider.publish(snapshot);
        self.active(revision, size, &entry_points);
        replaced
    }

    fn republish(&self, sequence: u64, now: u64) -> Result<(Revision, Arc<dyn Evaluator>, Replaced), NotAt> {
        let (revision, evaluator, replaced) = self.decider.republish(sequence, now)?;
        let size = self.with_reload(|reload| reload.sizes.get(&sequence).copied()).unwrap_or_default();
        let entry_points = evaluator.entry_points().join(" ");
        self.names.store(Arc::new(Names::of(&*evaluator)));
        self.active(revision.clone(), size, &entry_points);
        Ok((revision, evaluator, replaced))
    }

    fn refresh(&self, sequence: u64, snapshot: Arc<dyn Evaluator>) -> Replaced {
        self.decider.refresh(sequence, snapshot)
    }

    fn stale(&self, bundles: &[String]) {
        if bundles.is_empty() {
            tracing::info!("the policies are fresh again");
        } else {
            tracing::error!(?bundles, "the policies are stale: not serving until their sources answer again");
        }
        self.with_reload(|reload| reload.stale = bundles.to_vec());
        self.serve();
    }

    fn unchanged(&self) {
        let recovered = self.with_reload(|reload| reload.error.take().is_some());
        if recovered {
            self.metrics.recovered();
            tracing::info!("the policies are again what is already active");
        }
    }

    fn failed(&self, failure: &Failure) {
        let text = failure.to_string();
        self.metrics.reloaded(None);
        let active = self.with_reload(|reload| {
            reload.error = Some(text.clone());
            reload.active.clone()
        });
        if let Some(revision) = active {
            // The caret under a cause is the last thing: what a log writes after a message gets a line of its own.
            tracing::error!(active = revision.sequence, "reload failed, the last good policies go on:\n{text}\n");
        } else {
            tracing::error!("no policies are active:\n{text}");
        }
    }
}

impl Observer for State {
    fn decided(&self, decided: &Decided<'_>, verdict: Verdict) -> Settled {
        let measured = Measured::begin(&self.metrics, &self.spans, &self.names.load(), decided, &verdict);
        if let Some(log) = self.log.get() {
            return super::audit::settle(log, measured, decided, verdict);
        }
        measured.settled(&verdict, None);
        Settled::Now(verdict)
    }

    fn searched(&self, ended: &SearchEnded<'_>) -> Kept {
        self.log.get().map_or(Kept::Now(true), |log| super::audit::searched(log, ended))
    }

    fn failed(&self, reason: &'static str) {
        self.metrics.call_error(reason);
    }

    fn in_flight(&self) -> Box<dyn Send + Sync> {
        Box::new(self.metrics.in_flight())
    }
}

impl ops::Status for State {
    fn readiness(&self) -> ops::Readiness {
        let serving = *self.serving.borrow();
        let (revision, error, stale) =
            self.with_reload(|reload| (reload.active.clone(), reload.error.clone(), reload.stale.clone()));
        let reason = match serving {
            Serving::Ready => None,
            Serving::Stale => {
                let names = stale.join("`, `");
                Some(format!("the sources of the bundles `{names}` have been silent for longer than `stale_after`"))
            }
            Serving::Draining => Some("the server is shutting down".to_owned()),
            Serving::NotReady if error.is_some() => Some("no policies are active: the first load failed".to_owned()),
            Serving::NotReady => Some("no policies are active yet".to_owned()),
        };
        ops::Readiness {
            ready: serving == Serving::Ready,
            reason,
            revision: revision.map(|revision| (revision.sequence, revision.digest.to_string())),
            last_reload_error: error,
        }
    }

    fn metrics(&self) -> String {
        self.gather();
        self.metrics.render()
    }
}

impl State {
    /// All metrics, for whoever they are pushed to.
    pub(super) fn families(&self) -> Vec<Family> {
        self.gather();
        self.metrics.families()
    }

    /// What makes spans.
    pub(super) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// What measures the calls of a door, and follows their traces.
    pub(super) fn follows(&self, protocol: Protocol) -> Layer {
        Layer::new(self.metrics.clone(), self.spans.clone(), protocol)
    }

    /// Asks those who know their figures only when asked.
    fn gather(&self) {
        let policy::IsolationFigures { isolated: total, expired, refused, waiting, stuck } =
            policy::isolation_figures();
        self.metrics.isolated(Isolated { total, expired, refused, waiting, stuck });
        if let Some(handle) = self.handle.get().filter(|handle| handle.has_bundles()) {
            let status = handle.status();
            self.metrics.bundles(status.bundles.into_iter().map(|bundle| BundleFigures {
                failing: bundle.failure.is_some(),
                age: bundle.age,
                stale: bundle.stale,
                revision: bundle.revision,
                name: bundle.name,
            }));
        }
        if let Some(log) = self.log.get() {
            self.metrics.decision_log(log.figures().into_iter().map(log_figures).collect());
        }
        let (hits, misses) = policy::network_cache_figures();
        let mut caches = vec![CacheFigures { cache: "http_send", hits, misses }];
        self.metrics.exports(self.exports.figures());
        let revocation::Figures { revocations, signals, epoch } = self.registry.figures();
        let revocations = revocations.into_iter().map(|(kind, held)| (kind.name(), held)).collect();
        let ssf::Figures { tokens, last, heard } = self.receiver.figures();
        let mut ages: Vec<_> = heard.into_iter().map(|(name, age)| source_age("revocations", name, age)).collect();
        if let Some(issuers) = self.issuers.get() {
            let issuers::Figures { checked, ages: keys, remembered: (hits, misses) } = issuers.figures();
            ages.extend(keys.into_iter().map(|(name, age)| source_age("jwks", name, age)));
            caches.push(CacheFigures { cache: "tokens", hits, misses });
            self.metrics.credentials(checked);
        }
        if let Some(edge) = self.edge.get() {
            caches.extend(edge.remembered().map(|(hits, misses)| CacheFigures { cache: "callers", hits, misses }));
            self.metrics.edge(edge.figures());
        }
        self.metrics.ages(ages);
        self.metrics.caches(caches);
        self.metrics.revocations(RevocationFigures { revocations, signals, changes: epoch, tokens, last });
    }
}

fn source_age(kind: &'static str, source: String, age: Option<Duration>) -> SourceAge {
    SourceAge { kind, source, age }
}

fn log_figures(figures: SinkFigures) -> LogFigures {
    let SinkFigures {
        sink,
        offered,
        delivered,
        dropped,
        filtered,
        withheld,
        errors,
        refused,
        queued,
        spooled,
        spooled_bytes,
    } = figures;
    let dropped = Cause::ALL.map(Cause::name).into_iter().zip(dropped).collect();
    LogFigures {
        sink,
        offered,
        delivered,
        dropped,
        filtered,
        withheld,
        errors,
        refused,
        queued,
        spooled,
        spooled_bytes,
    }
}
