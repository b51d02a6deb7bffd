//! What is counted while requests are put: answers, errors, and how long answers took.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tonic::Status;

use super::client::Answer;

/// Counts of the requests of one connection, or of all.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    from: Instant,
    until: Instant,
    // Of the answers to requests that were due in the measured time, in nanoseconds.
    latency: Histogram<u64>,
    /// Answers in the measured time.
    pub(super) answers: u64,
    /// What they said.
    pub(super) said: Answer,
    /// Answers in all, also during the warm-up and after the end.
    pub(super) answers_ever: u64,
    /// Errors by gRPC code, with the message of the first.
    pub(super) errors: BTreeMap<String, (u64, String)>,
    /// Requests without an answer long after the end.
    pub(super) unanswered: u64,
    /// Requests of an open loop that were due and never sent.
    pub(super) unsent: u64,
}

impl Tally {
    /// An empty one, which measures between `from` and `until`.
    pub(super) fn new(from: Instant, until: Instant) -> anyhow::Result<Self> {
        // From a microsecond to a minute, exact to three digits.
        let latency = Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?;
        Ok(Self {
            from,
            until,
            latency,
            answers: 0,
            said: Answer::default(),
            answers_ever: 0,
            errors: BTreeMap::new(),
            unanswered: 0,
            unsent: 0,
        })
    }

    /// Counts one answer, to a request that was due at `due`.
    pub(super) fn record(&mut self, due: Instant, now: Instant, answer: Result<Answer, Status>) {
        let Answer { allow, deny, failed } = match answer {
            Ok(answer) => answer,
            Err(status) => {
                let first = || (0, status.message().to_owned());
                self.errors.entry(code(status.code())).or_insert_with(first).0 += 1;
                return;
            }
        };
        self.answers_ever += 1;
        if (self.from..self.until).contains(&now) {
            self.answers += 1;
            self.said.allow += allow;
            self.said.deny += deny;
            self.said.failed += failed;
        }
        if (self.from..self.until).contains(&due) {
            let took = u64::try_from(now.saturating_duration_since(due).as_nanos()).unwrap_or(u64::MAX);
            self.latency.saturating_record(took);
        }
    }

    /// Adds what another one counted.
    pub(super) fn add(&mut self, other: &Self) {
        // Both have the same bounds, so this can't fail.
        let _ = self.latency.add(&other.latency);
        self.answers += other.answers;
        self.said.allow += other.said.allow;
        self.said.deny += other.said.deny;
        self.said.failed += other.said.failed;
        self.answers_ever += other.answers_ever;
        for (code, (count, first)) in &other.errors {
            self.errors.entry(code.clone()).or_insert_with(|| (0, first.clone())).0 += count;
        }
        self.unanswered += other.unanswered;
        self.unsent += other.unsent;
    }

    /// Answers a second.
    pub(super) fn requests_per_second(&self) -> f64 {
        self.per_second(self.answers)
    }

    /// Decisions a second.
    pub(super) fn decisions_per_second(&self) -> f64 {
        self.per_second(self.said.allow + self.said.deny)
    }

    /// The time within which `percent` of the answers came.
    pub(super) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.latency.value_at_percentile(percent))
    }

    /// The longest time that an answer took.
    pub(super) fn max(&self) -> Duration {
        Duration::from_nanos(if self.latency.is_empty() { 0 } else { self.latency.max() })
    }

    fn per_second(&self, count: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        let count = count as f64;
        count / self.until.duration_since(self.from).as_secs_f64()
    }
}

/// The code as the gRPC specification writes it.
fn code(code: tonic::Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_answers_when_they_come_and_latency_from_when_they_were_due() {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let allow = Answer { allow: 1, ..Answer::default() };
        let mut tally = Tally::new(at(100), at(200)).unwrap();
        tally.record(at(10), at(20), Ok(allow));
        tally.record(at(90), at(110), Ok(allow));
        tally.record(at(150), at(160), Ok(Answer { deny: 2, failed: 1, ..Answer::default() }));
        tally.record(at(199), at(299), Ok(allow));
        assert_eq!((tally.answers, tally.answers_ever), (2, 4));
        assert_eq!(tally.said, Answer { allow: 1, deny: 2, failed: 1 });
        assert_eq!(tally.latency.len(), 2);
        assert!((99..=101).contains(&tally.max().as_millis()));
        assert!((tally.requests_per_second() - 20.0).abs() < 1e-9);
    }

    #[test]
    fn merges_errors_by_code() {
        let now = Instant::now();
        let mut one = Tally::new(now, now).unwrap();
        one.record(now, now, Err(Status::deadline_exceeded("late")));
        let mut other = one.clone();
        other.add(&one);
        assert_eq!(other.errors.get("DEADLINE_EXCEEDED"), Some(&(2, "late".to_owned())));
    }
}
