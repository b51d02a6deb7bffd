//! The doors' edge: connections, certificates, callers, load.

use super::family::{Families, Kind};

/// How the edge fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeFigures {
    /// Connections, by the door.
    pub doors: Vec<DoorFigures>,
    /// Certificates of the doors that have TLS.
    pub certificates: Vec<CertificateFigures>,
    /// What came of the SPIFFE agent's messages, if one is asked: taken, and of no use.
    pub agent: Option<(u64, u64)>,
    /// What is answered at once.
    pub load: LoadFigures,
    /// Callers who were not known, by what they showed.
    pub failed: Vec<(&'static str, u64)>,
    /// What callers wanted and may not, by the door.
    pub denied: Vec<(&'static str, u64)>,
}

/// The connections of a door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoorFigures {
    /// Its name.
    pub door: &'static str,
    /// How many are open.
    pub open: usize,
    /// How many were not served, by why.
    pub refused: Vec<(&'static str, u64)>,
}

/// The certificate of a door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateFigures {
    /// The door.
    pub door: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// When it ends, in seconds since 1970; 0 where that is not known.
    pub ends: u64,
    /// New ones that were taken.
    pub taken: u64,
    /// New ones that were of no use.
    pub refused: u64,
    /// Whether those that came last are in use.
    pub last_taken: bool,
}

/// What is answered at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadFigures {
    /// The most, as of now.
    pub limit: usize,
    /// How many calls wait.
    pub queued: usize,
    /// The bytes of messages that have come in part.
    pub unfinished: usize,
    /// The bytes of answers that are to be sent.
    pub unsent: usize,
    /// How many were refused, by why.
    pub shed: Vec<(&'static str, u64)>,
}

pub(super) fn measure(figures: &EdgeFigures, out: &mut Families) {
    let EdgeFigures { doors, certificates, agent, load, failed, denied } = figures;
    out.family("verdict_connections", Kind::Gauge, "Connections that are open.");
    for DoorFigures { door, open, .. } in doors {
        out.sample(&[("door", door)], *open);
    }
    let name = "verdict_connections_refused_total";
    out.family(name, Kind::Counter, "Connections that were not served, by why.");
    for DoorFigures { door, refused, .. } in doors {
        for (cause, count) in refused {
            out.sample(&[("door", door), ("cause", cause)], *count);
        }
    }
    measure_certificates(certificates, out);
    let name = "verdict_spiffe_messages_total";
    out.family(
        name,
        Kind::Counter,
        "Messages of the SPIFFE agent that were taken, and those of no use, with streams that ended.",
    );
    if let Some((taken, refused)) = agent {
        out.sample(&[("result", "ok")], *taken);
        out.sample(&[("result", "failed")], *refused);
    }
    let LoadFigures { limit, queued, unfinished, unsent, shed } = load;
    out.gauge("verdict_concurrency_limit", "The most calls that are answered at once, as of now.", *limit);
    out.gauge("verdict_calls_queued", "Calls that wait for others to end.", *queued);
    let help = "Bytes of messages that have come in part, and wait for the rest.";
    out.gauge("verdict_unfinished_message_bytes", help, *unfinished);
    out.gauge("verdict_unsent_answer_bytes", "Bytes of answers that are made, and not yet sent.", *unsent);
    let mut counts = |name, help, label, counts: &[(&'static str, u64)]| {
        out.family(name, Kind::Counter, help);
        for (value, count) in counts {
            out.sample(&[(label, value)], *count);
        }
    };
    counts("verdict_calls_shed_total", "Calls that were refused as too many, by why.", "cause", shed);
    counts("verdict_caller_failures_total", "Callers who were not known, by what they showed.", "shown", failed);
    counts("verdict_caller_denials_total", "What callers wanted and may not, by the door.", "door", denied);
}

fn measure_certificates(certificates: &[CertificateFigures], out: &mut Families) {
    let name = "verdict_certificate_expiry_timestamp_seconds";
    out.family(name, Kind::Gauge, "When the door's certificate ends.");
    for certificate in certificates {
        out.sample(&[("door", certificate.door), ("source", certificate.source)], certificate.ends);
    }
    let name = "verdict_certificate_reloads_total";
    out.family(name, Kind::Counter, "New certificates since the start, by whether they are of use.");
    for CertificateFigures { door, taken, refused, .. } in certificates {
        out.sample(&[("door", door), ("result", "ok")], *taken);
        out.sample(&[("door", door), ("result", "failed")], *refused);
    }
    let name = "verdict_certificate_last_reload_successful";
    out.family(name, Kind::Gauge, "Whether the certificates that came last are in use.");
    for certificate in certificates {
        out.sample(&[("door", certificate.door)], certificate.last_taken);
    }
}
