//! How long a test takes: repeated, in batches, with the spread of the batches.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Outcome, Suite, Test,
    ask::{self, Question},
    isolated,
};

/// A batch takes at least this, so that reading the clock is no part of what is measured.
const BATCH: Duration = Duration::from_millis(1);

/// The fewest batches, however long they take: one says nothing of the spread.
const FEWEST: usize = 5;

/// Time until the caches are warm, as a part of the time that is measured.
const WARM_UP_SHARE: u32 = 10;

/// How long one test takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bench {
    /// How often it was run in all.
    pub runs: u64,
    /// How long that took.
    pub elapsed: Duration,
    /// Of the batches, each as the mean of its runs.
    pub sample: Sample,
}

/// What numbers have in common; here nanoseconds a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How many there are.
    pub count: usize,
    /// The one in the middle.
    pub median: f64,
    /// The median of how far each is from the median: a few that were disturbed don't move it.
    pub spread: f64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Suite {
    /// Repeats a test for about `time`. Each run evaluates everything afresh, and is held to the time of one test; a
    /// test that does not pass, or all of it longer than `limit`, is no measurement but the outcome that says why.
    pub fn bench(&mut self, test: &Test, time: Duration, limit: Duration) -> Result<Bench, Outcome> {
        let question = Question::of(test)?;
        let one = self.options.timeout;
        let Some(engine) = self.engines.first() else { return Err(Outcome::Error("no evaluator".to_owned())) };
        let (mut engine, own, texts) = (engine.trial(), test.clone(), Arc::clone(&self.texts));
        let work = move || {
            let once =
                |engine: &mut regorus::Engine| match question.ask(engine, one, false).outcome(&own, one, &texts).0 {
                    Outcome::Pass => Ok(()),
                    other => Err(other),
                };
            repeat(time, limit, || once(&mut engine))
        };
        isolated::run(limit.saturating_add(one), work)
            .unwrap_or_else(|stopped| Err(Outcome::Error(stopped.reason(limit))))
    }
}

fn repeat(time: Duration, limit: Duration, mut once: impl FnMut() -> Result<(), Outcome>) -> Result<Bench, Outcome> {
    let started = Instant::now();
    let mut warmed: u32 = 0;
    while warmed == 0 || started.elapsed() < time / WARM_UP_SHARE {
        once()?;
        warmed = warmed.saturating_add(1);
    }
    let each = (started.elapsed() / warmed).max(Duration::from_nanos(1));
    let size = u32::try_from(BATCH.as_nanos() / each.as_nanos()).unwrap_or(u32::MAX).max(1);
    let mut bench = Bench { runs: 0, elapsed: Duration::ZERO, sample: Sample::of(&mut []) };
    let mut batches = Vec::new();
    while bench.elapsed < time || batches.len() < FEWEST {
        if started.elapsed() > limit {
            return Err(Outcome::Error(ask::too_long(limit)));
        }
        let batch = Instant::now();
        for _ in 0..size {
            once()?;
        }
        let took = batch.elapsed();
        bench.runs += u64::from(size);
        bench.elapsed += took;
        batches.push(took.as_secs_f64() * 1e9 / f64::from(size));
    }
    bench.sample = Sample::of(&mut batches);
    Ok(bench)
}

impl Sample {
    /// Of these numbers, which it sorts; of none, all is 0.
    #[expect(clippy::cast_precision_loss, reason = "there are not 2^53 batches")]
    pub(super) fn of(numbers: &mut [f64]) -> Self {
        let count = numbers.len();
        let mean = numbers.iter().sum::<f64>() / count.max(1) as f64;
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        let median = middle(numbers);
        let mut distances: Vec<f64> = numbers.iter().map(|number| (number - median).abs()).collect();
        Self {
            count,
            median,
            spread: middle(&mut distances),
            mean,
            deviation: (squares / count.saturating_sub(1).max(1) as f64).sqrt(),
            min: numbers.first().copied().unwrap_or_default(),
            max: numbers.last().copied().unwrap_or_default(),
        }
    }
}

/// Sorts the numbers, and gives the one in the middle; 0 where there are none.
fn middle(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let at = |at: usize| numbers.get(at).copied().unwrap_or_default();
    f64::midpoint(at(numbers.len().saturating_sub(1) / 2), at(numbers.len() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_numbers_have_in_common() {
        let sample = Sample::of(&mut [4.0, 1.0, 3.0, 2.0]);
        let told = [sample.median, sample.mean, sample.min, sample.max, sample.spread];
        assert_eq!((sample.count, told.map(|one| format!("{one:.1}")).join(" ").as_str()), (4, "2.5 2.5 1.0 4.0 1.0"));
        assert!((sample.deviation - 1.291).abs() < 1e-3, "{sample:?}");
        assert!(Sample::of(&mut []).median.abs() < f64::EPSILON);
    }

    #[test]
    fn repeats_until_the_time_is_over_and_ends_at_the_first_that_does_not_pass() {
        let mut count = 0_u64;
        let bench = repeat(Duration::from_millis(20), Duration::from_secs(5), || {
            count += 1;
            Ok(())
        });
        let bench = bench.unwrap();
        assert!(bench.runs < count && bench.sample.count >= FEWEST, "{bench:?}");
        assert!(bench.elapsed >= Duration::from_millis(20));
        let failed = repeat(Duration::ZERO, Duration::from_secs(5), || Err(Outcome::Fail));
        assert_eq!(failed, Err(Outcome::Fail));
        let slow = repeat(Duration::from_secs(60), Duration::from_millis(5), || {
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        });
        assert!(matches!(slow, Err(Outcome::Error(_))), "{slow:?}");
    }
}
