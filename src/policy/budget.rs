//! How long an evaluation may take: time of the processor, not of the clock on the wall.
//!
//! regorus looks at the wall clock. On a busy machine a thread can lose the processor for longer than a whole budget,
//! and a question would be denied for what other processes did. So an evaluation that runs out of wall-clock time is
//! put again, with the processor's time of this thread measured, until it has really used its budget, has lost three
//! times as much in such attempts, or its caller's patience ends.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// An evaluation that ends within this, as nearly all do, is not measured: asking the system costs time, too.
const UNMEASURED: Duration = Duration::from_millis(10);

/// How many times its budget an evaluation may use in attempts that others cut short, before it is given up.
const MOST_ATTEMPTS: u32 = 3;

/// What is left for one question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    left: Duration,
    deadline: Instant,
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
        Self { left: time, deadline }
    }

    /// Makes attempts, each within the wall-clock time that it is given, until one ends or the budget is spent.
    pub(super) fn run<T, E>(
        &mut self,
        mut attempt: impl FnMut(Duration) -> Result<T, Failure<E>>,
    ) -> Result<T, Failure<E>> {
        let mut measured = self.left <= UNMEASURED;
        let mut lost = Duration::ZERO;
        loop {
            let patience = self.deadline.saturating_duration_since(Instant::now());
            let limit = if measured { self.left } else { UNMEASURED }.min(patience);
            if limit.is_zero() {
                return Err(Failure::Time);
            }
            let (wall, processor) = (Instant::now(), measured.then(thread_time));
            let result = attempt(limit);
            let used = processor.map_or_else(|| wall.elapsed().min(limit), |start| thread_time().saturating_sub(start));
            // regorus drops the error of a function's definition where another definition has a value, also the error
            // of a spent budget: an answer that took longer than it may is none.
            let result = if wall.elapsed() >= limit { result.and(Err(Failure::Time)) } else { result };
            match result {
                Err(Failure::Time) if !measured => measured = true,
                Err(Failure::Time) if used < limit * 4 / 5 && lost < self.left * MOST_ATTEMPTS => lost += used,
                Err(Failure::Time) => {
                    self.left = Duration::ZERO;
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

/// The processor's time that this thread has used.
fn thread_time() -> Duration {
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
