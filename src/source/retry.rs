//! Asking a source over a network, again and again: polls, backs off with jitter, tells how it fares, and gives only
//! what differs from what was given.
//!
//! What decides is the content's digest: an ETag only saves the transfer.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Content, Error, Fault, Next, Source, Status,
    fault::chain,
    spec::{BackOff, Kind, Location, Polling, Spec},
    status::Teller,
};

/// No server makes us ask it more often than this.
const SHORTEST: Duration = Duration::from_millis(10);
/// A held question that is answered sooner, and without anything new, was not held.
const HELD: Duration = Duration::from_secs(1);
/// No server makes us wait longer than this.
const LONGEST_AFTER: Duration = Duration::from_secs(3600);

/// SHA-256 of an archive.
pub(super) type Digest = [u8; 32];
/// What [`Fetch::fetch`] promises.
pub(super) type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, Fault>> + Send + 'a>>;

/// One attempt at a source over a network.
pub(super) trait Fetch: Send + Sync + 'static {
    /// What kind of source it is.
    fn kind(&self) -> Kind;

    /// How long one attempt may take.
    fn patience(&self, known: &Known) -> Duration;

    /// Asks once.
    fn fetch(&self, known: Known) -> Fetching<'_>;
}

/// What is known from earlier attempts.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// What the content that was last given is called.
    pub(super) etag: Option<String>,
    /// Whether the server does not hold questions, as far as we know.
    pub(super) answers_at_once: bool,
}

/// What an attempt found.
pub(super) struct Fetched {
    /// The archive and its digest; `None` if it is the one that is known.
    pub(super) archive: Option<(Vec<u8>, Digest)>,
    /// What the content is called.
    pub(super) etag: Option<String>,
    /// Whether the server holds the next question until there is something new.
    pub(super) holds: bool,
}

/// A source over a network.
pub(super) struct Remote {
    fetch: Arc<dyn Fetch>,
    place: Location,
    polling: Polling,
    back_off: BackOff,
    teller: Teller,
    stage: Stage,
    known: Known,
    given: Given,
    failures: u32,
    /// How often in a row what was given had to be forgotten.
    forgotten: u32,
    /// Whether the next wait is to be short.
    hurried: bool,
}

/// INVARIANT: nothing that `next` has learned is held anywhere but here, so that its future can be dropped. The
/// attempt goes on meanwhile, and ends with the source.
enum Stage {
    Wait(Instant),
    Ask { attempt: JoinSet<Result<Fetched, Fault>>, since: Instant },
}

#[derive(PartialEq, Eq)]
enum Given {
    Nothing,
    Content(Digest),
    Failure(String),
}

impl Remote {
    pub(super) fn new(fetch: impl Fetch, spec: &Spec) -> Self {
        let teller = Teller::new(spec.url.to_string(), fetch.kind());
        Self {
            fetch: Arc::new(fetch),
            place: spec.url.clone(),
            polling: spec.polling,
            back_off: spec.back_off,
            teller,
            stage: Stage::Wait(Instant::now()),
            known: Known::default(),
            given: Given::Nothing,
            failures: 0,
            forgotten: 0,
            hurried: false,
        }
    }

    async fn archive(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            match &mut self.stage {
                Stage::Wait(until) => {
                    sleep_until(*until).await;
                    self.stage = self.ask();
                }
                Stage::Ask { attempt, since } => {
                    let since = *since;
                    let found = attempt.join_next().await;
                    if let Some(given) = self.answered(found, since) {
                        return given;
                    }
                }
            }
        }
    }

    fn ask(&self) -> Stage {
        self.teller.attempt();
        let (fetch, known) = (Arc::clone(&self.fetch), self.known.clone());
        let mut attempt = JoinSet::new();
        attempt.spawn(async move {
            let patience = fetch.patience(&known);
            timeout(patience, fetch.fetch(known)).await.unwrap_or(Err(Fault::Slow(patience)))
        });
        Stage::Ask { attempt, since: Instant::now() }
    }

    fn answered(
        &mut self,
        found: Option<Result<Result<Fetched, Fault>, JoinError>>,
        since: Instant,
    ) -> Option<Result<Vec<u8>, Error>> {
        let found = match found {
            Some(Ok(found)) => found,
            Some(Err(error)) => Err(Fault::BrokenOff(chain(&error))),
            None => Err(Fault::BrokenOff("it was not begun".to_owned())),
        };
        match found {
            Ok(fetched) => self.taken(fetched, since),
            Err(fault) => self.failed(fault),
        }
    }

    fn taken(&mut self, fetched: Fetched, since: Instant) -> Option<Result<Vec<u8>, Error>> {
        let Fetched { archive, etag, holds } = fetched;
        if let Given::Content(_) = self.given {
            self.forgotten = 0; // what was last given was of use
        }
        let given = match archive {
            Some((bytes, digest)) if self.given != Given::Content(digest) => {
                self.given = Given::Content(digest);
                Some(bytes)
            }
            None if !matches!(self.given, Given::Content(_)) => {
                let fault = "answers that nothing changed since an answer that it did not give";
                return self.failed(Fault::Protocol(fault.to_owned()));
            }
            _ => None,
        };
        self.failures = 0;
        self.known = Known { etag: etag.clone(), answers_at_once: !holds };
        self.teller.success(given.is_some());
        self.teller.tell(|report| report.etag = etag);
        let at_once = holds && (given.is_some() || since.elapsed() >= HELD);
        let delay = if at_once { SHORTEST } else { between(self.polling.min.0, self.polling.max.0, random()) };
        self.wait(delay);
        given.map(Ok)
    }

    fn failed(&mut self, fault: Fault) -> Option<Result<Vec<u8>, Error>> {
        self.failures = self.failures.saturating_add(1);
        // Content that comes back after a failure is given again, so all of it is needed.
        self.known.etag = None;
        let asked = fault.retry_after().unwrap_or_default().min(LONGEST_AFTER);
        let delay = jittered(self.back_off, self.failures, random()).max(asked);
        let error = Error::Remote { place: self.place.to_string(), fault };
        let text = error.to_string();
        self.teller.failure(text.clone());
        self.wait(delay);
        let given = Given::Failure(text);
        let new = self.given != given;
        self.given = given;
        new.then_some(Err(error))
    }

    fn wait(&mut self, delay: Duration) {
        let delay = if std::mem::take(&mut self.hurried) { SHORTEST } else { delay.max(SHORTEST) };
        let until = Instant::now() + delay;
        self.teller.tell(|report| report.next_attempt = Some(until));
        self.stage = Stage::Wait(until);
    }
}

impl Source for Remote {
    fn name(&self) -> String {
        format!("bundle {}", self.place)
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(async { self.archive().await.map(Content::Archive) })
    }

    fn forget(&mut self) {
        self.known.etag = None;
        self.given = Given::Nothing;
        self.forgotten = self.forgotten.saturating_add(1);
        // An attempt that is under way asks with what is to be forgotten, so it is broken off.
        self.wait(jittered(self.back_off, self.forgotten, random()));
    }

    fn look_again(&mut self) {
        // An attempt that is under way may have begun before what is new was there: another follows it.
        self.hurried = true;
        if matches!(self.stage, Stage::Wait(_)) {
            self.wait(SHORTEST);
        }
    }

    fn status(&self) -> Option<Status> {
        Some(self.teller.status())
    }
}

/// The delay after so many failures in a row: anything between the least and what doubles with each, up to the most.
fn jittered(back_off: BackOff, failures: u32, random: u32) -> Duration {
    let (least, most) = (back_off.min.0, back_off.max.0);
    let doubled = least.saturating_mul(2_u32.saturating_pow(failures.min(31)));
    between(least, doubled.min(most), random)
}

fn between(least: Duration, most: Duration, random: u32) -> Duration {
    least + most.saturating_sub(least).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Evenly spread. Without a source of randomness there is no jitter, which only means that servers ask together.
fn random() -> u32 {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).map_or(u32::MAX, |()| u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::spec::Span;

    #[test]
    fn delays_double_to_the_most_with_full_jitter() {
        let back_off = BackOff { min: Span(Duration::from_millis(100)), max: Span(Duration::from_secs(10)) };
        for (failures, most) in [(1, 200), (2, 400), (3, 800), (7, 10_000), (31, 10_000), (u32::MAX, 10_000)] {
            assert_eq!(jittered(back_off, failures, 0), Duration::from_millis(100));
            assert_eq!(jittered(back_off, failures, u32::MAX), Duration::from_millis(most));
            let middle = jittered(back_off, failures, u32::MAX / 2).as_millis();
            assert!((u128::from(most) / 2..u128::from(most)).contains(&middle), "{middle}");
        }
    }

    #[test]
    fn no_bounds_make_a_delay_that_cannot_be_computed() {
        let longest = Span(Duration::MAX);
        assert!(jittered(BackOff { min: Span(Duration::ZERO), max: longest }, u32::MAX, 7) == Duration::ZERO);
        assert_eq!(between(Duration::from_secs(2), Duration::from_secs(1), u32::MAX), Duration::from_secs(2));
    }

    /// Fails so many times, and then gives the same forever.
    struct Fails(std::sync::atomic::AtomicU32);

    impl Fetch for Fails {
        fn kind(&self) -> Kind {
            Kind::Http
        }

        fn patience(&self, _known: &Known) -> Duration {
            Duration::from_millis(50)
        }

        fn fetch(&self, _known: Known) -> Fetching<'_> {
            Box::pin(async {
                match self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                    0..3 => Err(Fault::Empty),
                    3 => std::future::pending().await,
                    4 => panic!("a defect"),
                    _ => Ok(Fetched { archive: Some((vec![1], [7; 32])), etag: None, holds: false }),
                }
            })
        }
    }

    #[tokio::test]
    async fn recovers_from_failures_from_what_hangs_and_from_panics() {
        let mut spec = Spec::new("https://example.com/b");
        spec.back_off = BackOff { min: Span(Duration::from_millis(5)), max: Span(Duration::from_millis(20)) };
        let mut remote = Remote::new(Fails(0.into()), &spec);
        let status = remote.status().unwrap();
        let mut told = Vec::new();
        loop {
            match remote.next().await {
                Ok(content) => break assert_eq!(content, Content::Archive(vec![1])),
                Err(error) => told.push((status.report().failures, error.to_string())),
            }
        }
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].1.contains("is empty") && told[0].0 == 1, "{told:?}");
        assert!(told[1].1.contains("within 50ms") && told[1].0 == 4, "{told:?}");
        assert!(told[2].1.contains("could not be asked to the end") && told[2].0 == 5, "{told:?}");
        let report = status.report();
        assert_eq!((report.failures, report.attempts), (0, 6));
        let next = report.next_attempt.unwrap() - Instant::now();
        assert!((Duration::from_secs(59)..=Duration::from_secs(120)).contains(&next), "{next:?}");
    }
}
