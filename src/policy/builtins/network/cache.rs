//! Responses that may be used again (RFC 9111, as far as OPA follows it).

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::client::Response;

/// The codes that OPA keeps.
const KEPT: [u16; 11] = [200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501];
/// The longest that a response is kept.
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What an entry costs besides its body, its headers and its key.
const OVERHEAD: usize = 512;

static HITS: AtomicU64 = AtomicU64::new(0);
static MISSES: AtomicU64 = AtomicU64::new(0);

/// How often a response was there, and how often not, since the process began.
#[must_use]
pub fn figures() -> (u64, u64) {
    (HITS.load(Relaxed), MISSES.load(Relaxed))
}

struct Entry {
    response: Response,
    ends: Instant,
    size: usize,
}

/// Responses by their requests.
#[derive(Default)]
pub(super) struct Cache {
    entries: HashMap<String, Entry>,
    size: usize,
}

impl Cache {
    /// A response that is still fresh.
    pub(super) fn get(&self, key: &str, now: Instant) -> Option<Response> {
        let found = self.entries.get(key).filter(|entry| entry.ends > now);
        if found.is_some() { &HITS } else { &MISSES }.fetch_add(1, Relaxed);
        found.map(|entry| entry.response.clone())
    }

    /// Keeps a response, if it may be kept and `most` bytes have room for it.
    pub(super) fn put(
        &mut self,
        key: String,
        response: &Response,
        forced: Option<Duration>,
        now: Instant,
        most: usize,
    ) {
        let age = forced.or_else(|| max_age(response));
        let (Some(age), true) = (age, KEPT.contains(&response.status.as_u16())) else { return };
        let headers: usize = response.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let size = OVERHEAD + key.len() + headers + response.body.len();
        let Some(ends) = now.checked_add(age.min(MAX_AGE)) else { return };
        if size > most {
            return;
        }
        self.remove(&key);
        if self.size + size > most {
            self.make_room(now, most - size);
        }
        self.size += size;
        self.entries.insert(key, Entry { response: response.clone(), ends, size });
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.size -= entry.size;
        }
    }

    /// Drops what has ended, then what ends first.
    fn make_room(&mut self, now: Instant, most: usize) {
        let mut keys: Vec<(Instant, String)> =
            self.entries.iter().map(|(key, entry)| (entry.ends, key.clone())).collect();
        keys.sort();
        for (ends, key) in keys {
            if ends > now && self.size <= most {
                break;
            }
            self.remove(&key);
        }
    }
}

/// How long a response says that it may be used. Its age on the way counts by its `Age`; clocks are not compared.
fn max_age(response: &Response) -> Option<Duration> {
    let header = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok());
    let control = header("cache-control")?;
    let mut age = None;
    for directive in control.split(',').map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" | "private" => return None,
            "max-age" => age = value.trim().trim_matches('"').parse::<u64>().ok(),
            _ => {}
        }
    }
    let old = header("age").and_then(|age| age.parse::<u64>().ok()).unwrap_or(0);
    age?.checked_sub(old).filter(|left| *left > 0).map(Duration::from_secs)
}
