//! What is revoked, and what was received about it.

use super::text::{Kind, Text};

/// What is revoked.
#[derive(Clone, Debug, Default)]
pub struct RevocationFigures {
    /// Revocations that are held, by kind.
    pub revocations: Vec<(&'static str, u64)>,
    /// Subjects that something was said of.
    pub signals: u64,
    /// How often what is in force has changed.
    pub changes: u64,
}

/// All of it.
pub(super) fn render(figures: &RevocationFigures, text: &mut Text) {
    let RevocationFigures { revocations, signals, changes } = figures;
    text.family("verdict_revocations", Kind::Gauge, "Revocations that are held, by what they revoke.");
    for (kind, held) in revocations {
        text.sample("", &[("kind", kind)], held);
    }
    text.gauge("verdict_signals", "Subjects that security events have said something of.", signals);
    text.family("verdict_revocation_changes_total", Kind::Counter, "Changes of what is revoked or signalled.");
    text.sample("", &[], changes.saturating_sub(1));
}
