//! What is revoked, and what was received about it.

use std::collections::BTreeMap;

use super::family::{Families, Kind};

/// What is revoked.
#[derive(Clone, Debug, Default)]
pub struct RevocationFigures {
    /// Revocations that are held, by kind.
    pub revocations: Vec<(&'static str, u64)>,
    /// Subjects that something was said of.
    pub signals: u64,
    /// How often what is in force has changed.
    pub changes: u64,
    /// Security event tokens, by transmitter and result.
    pub tokens: BTreeMap<(String, &'static str), u64>,
    /// When one of a transmitter last changed anything, in seconds since 1970; 0 for never.
    pub last: BTreeMap<String, u64>,
}

/// All of it.
pub(super) fn measure(figures: &RevocationFigures, out: &mut Families) {
    let RevocationFigures { revocations, signals, changes, tokens, last } = figures;
    out.family("verdict_revocations", Kind::Gauge, "Revocations that are held, by what they revoke.");
    for (kind, held) in revocations {
        out.sample(&[("kind", kind)], *held);
    }
    out.gauge("verdict_signals", "Subjects that security events have said something of.", *signals);
    out.family("verdict_revocation_changes_total", Kind::Counter, "Changes of what is revoked or signalled.");
    out.sample(&[], changes.saturating_sub(1));
    let name = "verdict_security_event_tokens_total";
    out.family(name, Kind::Counter, "Security event tokens that came, by transmitter and by what became of them.");
    for ((transmitter, result), count) in tokens {
        out.sample(&[("transmitter", transmitter), ("result", result)], *count);
    }
    let name = "verdict_security_event_last_timestamp_seconds";
    out.family(name, Kind::Gauge, "When a security event token of the transmitter was last taken; 0 for never.");
    for (transmitter, time) in last {
        out.sample(&[("transmitter", transmitter)], *time);
    }
}
