//! Caches, and what credentials are verified by: figures that their owners know, and tell when they are asked.

use std::time::Duration;

use super::family::{Families, Kind};

/// How a cache fares.
#[derive(Clone, Debug)]
pub struct CacheFigures {
    /// What it keeps, in a word of the program's own.
    pub cache: &'static str,
    /// What was asked of it and was there.
    pub hits: u64,
    /// What was asked of it and was not.
    pub misses: u64,
}

/// How old something is that credentials are verified by.
#[derive(Clone, Debug)]
pub struct SourceAge {
    /// What it is, in a word of the program's own: `jwks`, `revocations`.
    pub kind: &'static str,
    /// Its name in the configuration.
    pub source: String,
    /// How long ago it was last known to be current; `None` where that never was.
    pub age: Option<Duration>,
}

pub(super) fn caches(caches: &[CacheFigures], out: &mut Families) {
    out.family("verdict_cache_requests_total", Kind::Counter, "What was asked of caches, and whether it was there.");
    for CacheFigures { cache, hits, misses } in caches {
        out.sample(&[("cache", cache), ("result", "hit")], *hits);
        out.sample(&[("cache", cache), ("result", "miss")], *misses);
    }
}

pub(super) fn ages(ages: &[SourceAge], out: &mut Families) {
    let help = "Time since what credentials are verified by was last known to be current; infinite where it never was.";
    out.family("verdict_credential_source_age_seconds", Kind::Gauge, help);
    for SourceAge { kind, source, age } in ages {
        let age = age.map_or(f64::INFINITY, |age| age.as_secs_f64());
        out.sample(&[("kind", kind), ("source", source)], age);
    }
}
