//! How long an evaluation may take: time of the processor, not of the clock on the wall.
//!
//! regorus looks at the wall clock. On a busy machine a thread can lose the processor for longer than a whole budget,
//! and a question would be denied for what other processes did. So an evaluation that runs out of wall-clock time is
//! put again, with the processor's time of this thread measured, until it has really used its budget, has lost three
//! times as much in such attempts, or its caller's patience ends.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

use crate::decision::{Object, SourcePosition, Verdict, code};

/// The first attempt of an evaluation that has more time than this ends after it, and is not measured: asking the system
/// costs time, too, and nearly all end sooner.
const UNMEASURED: Duration = Duration::from_millis(10);

/// How many times its budget an evaluation may use in attempts that others cut short, before it is given up.
const MOST_ATTEMPTS: u32 = 3;

/// The longest that an evaluation may hold a thread that serves others.
pub(super) const LONGEST_SLICE: Duration = Duration::from_millis(2);
/// The same while evaluations that never end keep coming.
const SHORTEST_SLICE: Duration = Duration::from_micros(500);

/// A slice that took this long was held up by something that does not look at the clock.
const LATE: Duration = Duration::from_millis(4);

/// What an evaluation can take too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    /// Time, of the processor or on the wall.
    WallClock,
    /// Time that it waited for a thread, behind others that take long.
    Queue,
    /// What its built-ins work on and make.
    Work,
    /// The size of the answer.
    ResultSize,
    /// Depth.
    Stack,
}

/// What is left for one question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    left: Duration,
    deadline: Instant,
    // Whether the processor's time is measured from the first attempt on.
    measured: bool,
    late: bool,
}

/// How an attempt went wrong.
#[derive(Debug)]
pub(super) enum Failure<E> {
    /// It ran out of time.
    Time,
    /// Something else.
    Other(E),
}

impl Budget {
    /// `time` of the processor, and no more than `patience` on the wall.
    pub(super) fn new(time: Duration, patience: Duration) -> Self {
        let now = Instant::now();
        // A patience beyond what the clock can say is a day, which is beyond any budget.
        let deadline = now.checked_add(patience).unwrap_or(now + Duration::from_secs(86_400));
        Self { left: time, deadline, measured: time <= UNMEASURED, late: false }
    }

    /// As long as an evaluation may hold a thread that serves others; `time` of the processor at most, and no more than
    /// `patience` on the wall.
    pub(super) fn slice(time: Duration, patience: Duration) -> Self {
        let length = slice::length();
        // Only while such keep coming that do not end in it; each of them then takes only one.
        Self { measured: length < LONGEST_SLICE, ..Self::new(length.min(time), patience) }
    }

    /// Whether a slice ended much later than it should have.
    pub(super) fn is_late(&self) -> bool {
        self.late
    }

    /// Makes attempts, each within the wall-clock time that it is given, until one ends or the budget is spent.
    pub(super) fn run<T, E>(
        &mut self,
        mut attempt: impl FnMut(Duration) -> Result<T, Failure<E>>,
    ) -> Result<T, Failure<E>> {
        let mut measured = self.measured;
        let mut lost = Duration::ZERO;
        loop {
            let wall = Instant::now();
            let patience = self.deadline.saturating_duration_since(wall);
            let limit = if measured { self.left } else { UNMEASURED.min(self.left) }.min(patience);
            if limit.is_zero() {
                return Err(Failure::Time);
            }
            let processor = measured.then(thread_time);
            let result = attempt(limit);
            let took = wall.elapsed();
            let used = processor.map_or_else(|| took.min(limit), |start| thread_time().saturating_sub(start));
            // regorus drops the error of a function's definition where another definition has a value, also the error
            // of a spent budget: an answer that took longer than it may is none.
            let result = if took >= limit { result.and(Err(Failure::Time)) } else { result };
            match result {
                Err(Failure::Time) if !measured => measured = true,
                Err(Failure::Time) if used < limit * 4 / 5 && lost < self.left * MOST_ATTEMPTS => lost += used,
                Err(Failure::Time) => {
                    self.left = Duration::ZERO;
                    self.late = used > LATE;
                    return Err(Failure::Time);
                }
                ended => {
                    self.left = self.left.saturating_sub(used);
                    return ended;
                }
            }
        }
    }
}

impl Spent {
    /// Its name, in `reasons[].properties.budget`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WallClock => "wall_clock",
            Self::Queue => "queue",
            Self::Work => "work",
            Self::ResultSize => "result_size",
            Self::Stack => "stack",
        }
    }

    /// The deny for it.
    pub(super) fn deny(self, message: impl fmt::Display, position: Option<SourcePosition>) -> Verdict {
        let message = format!("{message} (budget: {self})");
        let mut verdict = Verdict::deny_for(code::BUDGET_EXCEEDED, message, position);
        for reason in &mut verdict.reasons {
            reason.properties = Object::from_iter([("budget".to_owned(), self.name().into())]);
        }
        verdict
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::WallClock => "wall clock",
            Self::Queue => "queue",
            Self::Work => "work",
            Self::ResultSize => "result size",
            Self::Stack => "stack",
        })
    }
}

/// How long a slice is. Each evaluation that does not end in it has wasted it, so that it gets shorter while such keep
/// coming, and longer again when they turn out to end soon.
pub(super) mod slice {
    use super::{AtomicU32, Duration, LONGEST_SLICE, Relaxed, SHORTEST_SLICE};

    // Written only when an evaluation was moved.
    static MICROSECONDS: AtomicU32 = AtomicU32::new(2_000);

    pub(in crate::policy) fn length() -> Duration {
        Duration::from_micros(MICROSECONDS.load(Relaxed).into())
    }

    /// An evaluation that was moved took long elsewhere, too: the slice was for nothing.
    pub(in crate::policy) fn wasted() {
        set(length() * 3 / 4);
    }

    /// An evaluation that was moved would have ended in the longest slice.
    pub(in crate::policy) fn too_short() {
        set(length() * 2);
    }

    fn set(length: Duration) {
        let length = length.clamp(SHORTEST_SLICE, LONGEST_SLICE);
        MICROSECONDS.store(u32::try_from(length.as_micros()).unwrap_or(u32::MAX), Relaxed);
    }
}

/// The processor's time that this thread has used.
pub(super) fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    /// Works until it ends, or says that `limit` is over.
    fn work(needed: Duration, limit: Duration) -> Result<(), Failure<()>> {
        let (start, wall) = (thread_time(), Instant::now());
        while thread_time().saturating_sub(start) < needed {
            if wall.elapsed() > limit {
                return Err(Failure::Time);
            }
        }
        Ok(())
    }

    #[test]
    fn a_thread_that_lost_the_processor_is_asked_again() {
        let mut budget = Budget::new(Duration::from_millis(50), Duration::from_secs(10));
        let mut lost = 3;
        let result = budget.run(|limit| {
            if lost > 0 {
                lost -= 1;
                sleep(limit);
                return Err(Failure::<()>::Time);
            }
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(lost, 0);
    }

    #[test]
    fn a_runaway_spends_its_budget_and_no_more() {
        let mut budget = Budget::new(Duration::from_millis(50), Duration::from_secs(10));
        let before = thread_time();
        assert!(matches!(budget.run(|limit| work(Duration::from_secs(5), limit)), Err(Failure::Time)));
        let used = thread_time().saturating_sub(before);
        assert!(used >= Duration::from_millis(40) && used < Duration::from_millis(1_000), "{used:?}");
        assert!(matches!(budget.run(|_| Ok::<(), Failure<()>>(())), Err(Failure::Time)), "nothing is left");
    }

    #[test]
    fn a_slice_that_lost_the_processor_is_asked_again_where_it_is() {
        let mut attempts = 0;
        let result = Budget::slice(Duration::from_secs(10), Duration::from_secs(10)).run(|limit| {
            assert!(limit <= LONGEST_SLICE, "{limit:?}");
            attempts += 1;
            if attempts < 3 {
                sleep(limit);
                return Err(Failure::<()>::Time);
            }
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(attempts, 3);
    }

    #[test]
    fn a_runaway_does_not_hold_a_slice() {
        let before = thread_time();
        let mut budget = Budget::slice(Duration::from_secs(10), Duration::from_secs(10));
        assert!(matches!(budget.run(|limit| work(Duration::from_secs(5), limit)), Err(Failure::Time)));
        let used = thread_time().saturating_sub(before);
        assert!(used < LONGEST_SLICE * 2 * (MOST_ATTEMPTS + 1), "{used:?}");
    }

    #[test]
    fn an_answer_after_its_time_is_none() {
        let mut budget = Budget::new(Duration::from_millis(50), Duration::from_secs(10));
        let result = budget.run(|_| {
            let _ = work(Duration::from_millis(70), Duration::MAX);
            Ok::<(), Failure<()>>(())
        });
        assert!(matches!(result, Err(Failure::Time)));
    }

    #[test]
    fn patience_ends_what_the_budget_does_not() {
        let mut budget = Budget::new(Duration::from_millis(50), Duration::from_millis(30));
        let started = Instant::now();
        let result: Result<(), Failure<()>> = budget.run(|limit| {
            sleep(limit);
            Err(Failure::Time)
        });
        assert!(matches!(result, Err(Failure::Time)));
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
