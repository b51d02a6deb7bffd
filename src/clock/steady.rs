//! A wall clock that nobody can set back, and that follows a step ahead only once it has lasted.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// Closer than this, the wall clock is right: it is read a moment after the uptime.
const CLOSE: i64 = 1_000_000_000;

/// How long a step ahead must last until it is taken.
const LASTS: Duration = Duration::from_mins(1);

/// Nothing was read yet.
const UNKNOWN: i64 = i64::MIN;

/// The wall clock by the uptime. All is in nanoseconds.
pub(super) struct Steady {
    /// The wall clock's time when the machine started, as it is taken to be.
    start: AtomicI64,
    /// Whether the wall clock last said something else.
    differs: AtomicBool,
    otherwise: Mutex<Otherwise>,
}

/// Where the wall clock says something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    /// It does not.
    No,
    /// It was set back.
    Back,
    /// It was set ahead: its start, and the uptime when this was first seen.
    Ahead { start: i64, since: Duration },
}

impl Steady {
    pub(super) const fn new() -> Self {
        Self { start: AtomicI64::new(UNKNOWN), differs: AtomicBool::new(false), otherwise: Mutex::new(Otherwise::No) }
    }

    /// The time to judge by, where the wall clock says `wall` and the uptime is `uptime`.
    pub(super) fn judge(&self, wall: SystemTime, uptime: Duration) -> SystemTime {
        let says = nanos_of(wall).saturating_sub(nanos(uptime));
        let start = match self.start.compare_exchange(UNKNOWN, says, Relaxed, Relaxed) {
            Ok(_) => says,
            Err(start) => start,
        };
        if says.abs_diff(start) <= CLOSE.unsigned_abs() {
            if self.differs.swap(false, Relaxed) {
                *self.otherwise.lock().unwrap_or_else(PoisonError::into_inner) = Otherwise::No;
            }
            return wall;
        }
        let mut otherwise = self.otherwise.lock().unwrap_or_else(PoisonError::into_inner);
        self.differs.store(true, Relaxed);
        let next = next(*otherwise, start, says, uptime);
        if next != *otherwise {
            tell(next, says.abs_diff(start));
            *otherwise = next;
        }
        if next == Otherwise::No {
            self.start.store(says, Relaxed);
            return wall;
        }
        at(start.saturating_add(nanos(uptime)))
    }
}

/// What is made of a clock that says `says` and not `start`; [`Otherwise::No`] where it is believed.
fn next(before: Otherwise, start: i64, says: i64, uptime: Duration) -> Otherwise {
    if says < start {
        return Otherwise::Back;
    }
    match before {
        Otherwise::Ahead { start: seen, since } if says.abs_diff(seen) <= CLOSE.unsigned_abs() => {
            if uptime.saturating_sub(since) >= LASTS { Otherwise::No } else { before }
        }
        // Another step, or the first.
        _ => Otherwise::Ahead { start: says, since: uptime },
    }
}

fn tell(next: Otherwise, by: u64) {
    let by = Duration::from_nanos(by);
    match next {
        Otherwise::No => {
            tracing::warn!(?by, "the clock was set ahead and stayed so: tokens and revocations are judged by it");
        }
        Otherwise::Back => tracing::warn!(
            ?by,
            "the clock was set back: tokens and revocations are judged by the time that it had before, until the server starts again"
        ),
        Otherwise::Ahead { .. } => tracing::warn!(
            ?by,
            "the clock was set ahead: tokens end by it at once, revocations once it stayed so for a minute"
        ),
    }
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn nanos_of(wall: SystemTime) -> i64 {
    match wall.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => nanos(before.duration()).saturating_neg(),
    }
}

fn at(nanos: i64) -> SystemTime {
    let apart = Duration::from_nanos(nanos.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let moment = if nanos < 0 { epoch.checked_sub(apart) } else { epoch.checked_add(apart) };
    moment.unwrap_or(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_hours(1);
    const START: Duration = Duration::from_secs(1_800_000_000);

    fn wall(since_start: Duration) -> SystemTime {
        SystemTime::UNIX_EPOCH + START + since_start
    }

    #[test]
    fn follows_a_clock_that_nobody_sets() {
        let clock = Steady::new();
        for seconds in 0..100 {
            let now = SECOND * seconds;
            assert_eq!(clock.judge(wall(now), now), wall(now));
        }
        // Read a moment late, which is no step, however often.
        for _ in 0..10 {
            let late = wall(HOUR + SECOND / 2);
            assert_eq!(clock.judge(late, HOUR), late);
        }
        assert_eq!(clock.judge(wall(HOUR), HOUR), wall(HOUR));
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on_as_before() {
        let clock = Steady::new();
        clock.judge(wall(HOUR), HOUR);
        for back in [SECOND * 2, HOUR, HOUR * 24 * 3_650] {
            for later in [SECOND, HOUR, HOUR * 48] {
                let now = HOUR + later;
                assert_eq!(clock.judge(wall(now) - back, now), wall(now), "{back:?} back, {later:?} later");
            }
        }
        let now = HOUR * 50;
        assert_eq!(clock.judge(wall(now), now), wall(now), "it is right again");
        assert_eq!(clock.judge(SystemTime::UNIX_EPOCH - HOUR, now), wall(now));
    }

    #[test]
    fn a_step_ahead_is_taken_once_it_lasted_a_minute() {
        let clock = Steady::new();
        clock.judge(wall(SECOND), SECOND);
        let ahead = |by: Duration, now: Duration| clock.judge(wall(now) + by, now);
        assert_eq!(ahead(HOUR, SECOND * 2), wall(SECOND * 2));
        assert_eq!(ahead(HOUR, SECOND * 61), wall(SECOND * 61), "59 s");
        // Another step begins anew.
        assert_eq!(ahead(HOUR * 5, SECOND * 63), wall(SECOND * 63));
        assert_eq!(ahead(HOUR * 5, SECOND * 122), wall(SECOND * 122));
        assert_eq!(ahead(HOUR * 5, SECOND * 123), wall(SECOND * 123) + HOUR * 5);
        // And nobody sets it back from there.
        assert_eq!(ahead(Duration::ZERO, SECOND * 124), wall(SECOND * 124) + HOUR * 5);
        assert_eq!(ahead(HOUR * 5, SECOND * 125), wall(SECOND * 125) + HOUR * 5);
    }

    #[test]
    fn a_step_ahead_that_ends_is_as_none() {
        let clock = Steady::new();
        clock.judge(wall(SECOND), SECOND);
        assert_eq!(clock.judge(wall(HOUR), SECOND * 2), wall(SECOND * 2));
        assert_eq!(clock.judge(wall(SECOND * 30), SECOND * 30), wall(SECOND * 30));
        assert_eq!(clock.judge(wall(HOUR + SECOND * 68), SECOND * 70), wall(SECOND * 70), "it begins anew");
        assert_eq!(clock.judge(wall(SECOND * 80) - HOUR, SECOND * 80), wall(SECOND * 80));
        assert_eq!(clock.judge(wall(HOUR + SECOND * 138), SECOND * 140), wall(SECOND * 140), "and again");
    }
}
