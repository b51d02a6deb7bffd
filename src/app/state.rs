//! What the server as a whole is doing: told by the reloader and the doors, asked by health, status and metrics.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    api::{Observer, ops},
    decision::{Decider, Effect, Evaluator as _, Revision, Verdict},
    policy::{self, Redaction, Size, Snapshot},
    reload::{Failure, Sink},
    telemetry::metrics::{ActiveRevision, Isolated, Metrics},
};

/// Whether questions are welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    /// No policies are active yet.
    NotReady,
    /// Policies are active.
    Ready,
    /// The server is shutting down.
    Draining,
}

/// The server's state.
pub(super) struct State {
    decider: Arc<Decider>,
    metrics: Metrics,
    /// What explanations hide.
    redact: Redaction,
    serving: watch::Sender<Serving>,
    // Written by reloads, read by the HTTP door: never on the way of a question.
    reload: Mutex<Reload>,
}

#[derive(Default)]
struct Reload {
    active: Option<Revision>,
    error: Option<String>,
}

impl State {
    pub(super) fn new(decider: Arc<Decider>, metrics: Metrics, redact: Redaction) -> Self {
        metrics.ready(false);
        Self { decider, metrics, redact, serving: watch::Sender::new(Serving::NotReady), reload: Mutex::default() }
    }

    /// Follows whether questions are welcome.
    pub(super) fn serving(&self) -> watch::Receiver<Serving> {
        self.serving.subscribe()
    }

    /// Questions are no longer welcome.
    pub(super) fn drain(&self) {
        self.metrics.ready(false);
        self.serving.send_replace(Serving::Draining);
    }

    fn with_reload<T>(&self, change: impl FnOnce(&mut Reload) -> T) -> T {
        change(&mut self.reload.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for State {
    fn publish(&self, snapshot: Arc<Snapshot>) {
        let revision = snapshot.revision().clone();
        let Size { modules, rules, bytes } = snapshot.size();
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
        self.decider.publish(snapshot);
        self.metrics.reloaded(Some(ActiveRevision {
            sequence: revision.sequence,
            digest: revision.digest.to_string(),
            bytes,
            modules,
            rules,
        }));
        self.with_reload(|reload| *reload = Reload { active: Some(revision.clone()), error: None });
        // A server that drains stays so.
        let became = self.serving.send_if_modified(|serving| {
            let first = *serving == Serving::NotReady;
            if first {
                *serving = Serving::Ready;
            }
            first
        });
        if became {
            self.metrics.ready(true);
        }
        tracing::info!(sequence = revision.sequence, digest = %revision.digest, modules, rules, bytes, entry_points, "policies active");
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
            tracing::error!(active = revision.sequence, "reload failed, the last good policies go on:\n{text}");
        } else {
            tracing::error!("no policies are active:\n{text}");
        }
    }
}

impl Observer for State {
    fn decided(&self, verdict: &Verdict, took: Duration) {
        self.metrics.decision(verdict.entry_point.as_deref(), verdict.effect == Effect::Allow, took);
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
        let (revision, error) = self.with_reload(|reload| (reload.active.clone(), reload.error.clone()));
        let reason = match serving {
            Serving::Ready => None,
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
        let policy::IsolationFigures { isolated: total, expired, refused, waiting, stuck } =
            policy::isolation_figures();
        self.metrics.isolated(Isolated { total, expired, refused, waiting, stuck });
        self.metrics.render()
    }
}
