//! How often each caller may ask.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Callers whose rate is remembered.
const CALLERS: usize = 10_000;
/// How often all of them are looked at for those that may be forgotten: it takes a while, and new callers may come at any rate.
const SWEEP: Duration = Duration::from_millis(100);

/// The rates of callers.
pub(super) struct Rates {
    /// Calls a second; 0 for no bound.
    rate: u32,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    by_caller: HashMap<String, Bucket>,
    /// When all of them were last looked at.
    swept: Option<Instant>,
}

/// Why a caller may not ask now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Over {
    /// Its rate; so long until the next call.
    Rate(Duration),
    /// More callers than rates are kept of.
    Callers,
}

/// What a caller may still do: filled again as time goes by.
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Whether that caller may ask once more now.
    pub(super) fn take(&self, caller: &str, now: Instant) -> Result<(), Over> {
        if self.rate == 0 {
            return Ok(());
        }
        let rate = f64::from(self.rate);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.by_caller.contains_key(caller) && !buckets.have_room(rate, now) {
            return Err(Over::Callers);
        }
        let bucket = buckets.by_caller.entry(caller.to_owned()).or_insert(Bucket { left: rate, at: now });
        let left = bucket.filled(rate, now);
        *bucket = Bucket { left, at: now };
        if left < 1.0 {
            return Err(Over::Rate(Duration::from_secs_f64((1.0 - left) / rate)));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

impl Buckets {
    /// Whether there is room for one more.
    fn have_room(&mut self, rate: f64, now: Instant) -> bool {
        if self.by_caller.len() < CALLERS {
            return true;
        }
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP) {
            return false;
        }
        self.swept = Some(now);
        // Whose bucket is full again is as one who never came.
        self.by_caller.retain(|_, bucket| bucket.filled(rate, now) < rate);
        self.by_caller.len() < CALLERS
    }
}

impl Bucket {
    fn filled(&self, rate: f64, now: Instant) -> f64 {
        (self.left + now.saturating_duration_since(self.at).as_secs_f64() * rate).min(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_a_rate_and_the_next_one_its_own() {
        let rates = Rates::new(2);
        let now = Instant::now();
        assert!(rates.take("a", now).is_ok() && rates.take("a", now).is_ok());
        assert!(matches!(rates.take("a", now), Err(Over::Rate(_))));
        assert!(rates.take("b", now).is_ok());
        assert!(rates.take("a", now + Duration::from_millis(600)).is_ok());
        assert!(rates.take("a", now + Duration::from_millis(700)).is_err());
    }

    #[test]
    fn no_more_callers_are_remembered_than_there_is_room_for() {
        let rates = Rates::new(1);
        let now = Instant::now();
        for caller in 0..CALLERS {
            assert!(rates.take(&caller.to_string(), now).is_ok());
        }
        assert_eq!(rates.take("one more", now), Err(Over::Callers));
        let looked_at = now + SWEEP / 2;
        assert_eq!(rates.take("one more", looked_at), Err(Over::Callers), "not all are looked at again");
        assert!(rates.take("0", now + Duration::from_secs(1)).is_ok(), "who is known needs no room");
        assert!(rates.take("one more", now + Duration::from_secs(1)).is_ok());
    }
}
