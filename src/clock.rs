//! The only reader of the wall clock.

mod steady;

use std::{
    sync::Mutex,
    time::{Duration, SystemTime},
};

use rustix::time::{ClockId, clock_gettime};
use uuid::{ContextV7, Timestamp, Uuid};

use self::steady::Steady;

static STEADY: Steady = Steady::new();

/// Now.
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Now, to judge by what was revoked and what is remembered. Whoever sets the wall clock back brings nothing back to life, as
/// the time goes on by the uptime; and a clock that is set ahead is believed only once it stayed so for a minute, so that one
/// wrong moment ends no revocation. Where the clock was ahead first and is then set right, it stays ahead until the server
/// starts again.
#[must_use]
pub fn steady() -> SystemTime {
    let uptime = uptime();
    STEADY.judge(now(), uptime)
}

/// The moments at both of which a token must be good: [`steady`], and the wall clock where that is later. Where the clock is
/// set ahead, as after a machine was brought back from a snapshot, tokens end by it at once, and none begins by it for a
/// minute; where that was wrong, they are good again once it is set right.
#[must_use]
pub fn bounds() -> (SystemTime, SystemTime) {
    let (wall, uptime) = (now(), uptime());
    let steady = STEADY.judge(wall, uptime);
    (steady, steady.max(wall))
}

/// The time since the machine started. Nobody can set it, and it goes on while the machine sleeps, which
/// [`std::time::Instant`] does not: what may be used for a minute is too old after an hour of sleep.
#[must_use]
pub fn uptime() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// Now, in seconds since the epoch, to judge by how old something is: the later of [`bounds`].
#[must_use]
pub fn seconds() -> u64 {
    bounds().1.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How far the wall clock is from what is judged by ([`steady`]), in seconds: below 0 where it was set back.
#[must_use]
pub fn offset() -> f64 {
    let (wall, uptime) = (now(), uptime());
    let steady = STEADY.judge(wall, uptime);
    match wall.duration_since(steady) {
        Ok(ahead) => ahead.as_secs_f64(),
        Err(behind) => -behind.duration().as_secs_f64(),
    }
}

thread_local! {
    // A context for each thread: ids made on one thread rise, and no thread waits for another.
    static CONTEXT: Mutex<ContextV7> = const { Mutex::new(ContextV7::new()) };
}

/// A new decision id: a `UUIDv7` (RFC 9562 §5.7), so that ids sort by time.
#[must_use]
pub fn decision_id() -> String {
    let now = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let id = CONTEXT.with(|context| match context.lock() {
        Ok(context) => Uuid::new_v7(Timestamp::from_unix(&*context, now.as_secs(), now.subsec_nanos())),
        Err(_) => Uuid::now_v7(),
    });
    id.to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn uptime_goes_on() {
        let before = uptime();
        std::thread::sleep(Duration::from_millis(2));
        assert!(before > Duration::ZERO && uptime() >= before + Duration::from_millis(2));
    }

    #[test]
    fn ids_are_unique_and_of_version_7() {
        let ids: BTreeSet<String> = (0..10_000).map(|_| decision_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert_eq!(Uuid::parse_str(ids.first().unwrap()).unwrap().get_version_num(), 7);
    }
}
