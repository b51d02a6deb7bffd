//! Reloads of the policies, and what decides since the last one.

use std::time::Instant;

use super::family::{Families, Kind};

/// The snapshot that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRevision {
    /// Its sequence number.
    pub sequence: u64,
    /// Its digest.
    pub digest: String,
    /// Size of its policies and data, in bytes.
    pub bytes: usize,
    /// How many modules it has.
    pub modules: usize,
    /// How many rules it has.
    pub rules: usize,
}

/// How reloads fare.
#[derive(Default)]
pub(super) struct Reloads {
    ok: u64,
    failed: u64,
    pub(super) last_ok: bool,
    active: Option<(ActiveRevision, Instant)>,
}

impl Reloads {
    /// Counts one: the revision that is active since, or `None` if it failed.
    pub(super) fn count(&mut self, ok: Option<ActiveRevision>) {
        self.last_ok = ok.is_some();
        let Some(revision) = ok else {
            self.failed += 1;
            return;
        };
        self.ok += 1;
        // A reload that found nothing new does not make the revision younger.
        let since = match &self.active {
            Some((before, since)) if before.sequence == revision.sequence => *since,
            _ => Instant::now(),
        };
        self.active = Some((revision, since));
    }

    pub(super) fn measure(&self, out: &mut Families) {
        out.family("verdict_reloads_total", Kind::Counter, "Reloads of the policies, by how they ended.");
        out.sample(&[("result", "ok")], self.ok);
        out.sample(&[("result", "failed")], self.failed);
        out.gauge(
            "verdict_policy_last_reload_successful",
            "Whether the last reload of the policies succeeded; 0 before the first.",
            self.last_ok,
        );
        let sequence = self.active.as_ref().map_or(0, |(active, _)| active.sequence);
        out.gauge("verdict_active_revision", "Sequence number of the active revision; 0 before the first.", sequence);
        let Some((active, since)) = &self.active else { return };
        out.family("verdict_active_revision_info", Kind::Gauge, "The active revision; always 1.");
        out.sample(&[("digest", &active.digest)], 1_u64);
        let age = since.elapsed().as_secs_f64();
        out.gauge("verdict_active_revision_age_seconds", "Time since the revision became active.", age);
        out.gauge("verdict_snapshot_bytes", "Size of the active policies and data.", active.bytes);
        out.gauge("verdict_snapshot_modules", "Modules of the active policies.", active.modules);
        out.gauge("verdict_snapshot_rules", "Rules of the active policies.", active.rules);
    }
}
