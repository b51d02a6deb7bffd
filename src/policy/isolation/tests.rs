use std::{
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, sleep},
};

use futures::executor::block_on;

use super::*;

const LONG: Duration = Duration::from_secs(30);

fn isolation() -> Arc<Isolation> {
    Arc::new(Isolation::new([1, 1]))
}

fn run(isolation: &Arc<Isolation>, time: Duration, work: Work) -> Verdict {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let what = format!("data.x{}", NUMBER.fetch_add(1, Relaxed));
    block_on(isolation.run(What { name: what.into(), owner: 0 }, time, work)).unwrap()
}

fn code_of(verdict: &Verdict) -> (&str, String) {
    let reason = &verdict.reasons[0];
    (&reason.code, reason.properties.get("budget").map(|value| format!("{value:?}")).unwrap_or_default())
}

#[test]
fn what_is_not_done_in_the_first_lane_goes_to_the_last() {
    let verdict = run(
        &isolation(),
        LONG,
        Box::new(|lane, _| (lane == Lane::Last).then(|| Verdict::deny_for(code::NO_DECISION, "last", None))),
    );
    assert_eq!(code_of(&verdict).0, code::NO_DECISION);
}

#[test]
fn a_panic_is_a_deny() {
    let isolation = isolation();
    let verdict = run(&isolation, LONG, Box::new(|_, _| panic!("boom")));
    assert_eq!(code_of(&verdict).0, code::INTERNAL_ERROR);
    // And the thread serves on.
    assert!(run(&isolation, LONG, Box::new(|_, _| Some(Verdict::default()))).reasons.is_empty());
}

#[test]
fn a_stuck_evaluation_is_answered_and_its_thread_replaced() {
    let isolation = isolation();
    let (end, ended) = mpsc::channel::<()>();
    let stuck: Work = Box::new(move |_, _| ended.recv_timeout(LONG).ok().map(|()| Verdict::default()));
    let started = Instant::now();
    let verdict = run(&isolation, Duration::from_secs(1), stuck);
    assert_eq!(code_of(&verdict), (code::BUDGET_EXCEEDED, "String(\"wall_clock\")".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(10));
    let next = run(&isolation, LONG, Box::new(|_, _| Some(Verdict::default())));
    assert!(next.reasons.is_empty(), "{next:?}");
    assert_eq!(isolation.figures().stuck, 1);
    end.send(()).unwrap();
    while isolation.figures().stuck > 0 {
        thread::yield_now();
    }
    let Figures { isolated, expired, refused, .. } = isolation.figures();
    assert_eq!((isolated, expired, refused), (2, 1, 0));
}

#[test]
fn whoever_waits_too_long_is_told_so() {
    let isolation = isolation();
    let first = isolation.run(What { name: "data.a".into(), owner: 0 }, LONG, {
        Box::new(|_, _| {
            sleep(Duration::from_secs(2));
            Some(Verdict::default())
        })
    });
    let second = run(&isolation, Duration::from_millis(20), Box::new(|_, _| Some(Verdict::default())));
    assert_eq!(code_of(&second), (code::BUDGET_EXCEEDED, "String(\"queue\")".to_owned()));
    assert!(block_on(first).is_ok());
}

#[test]
fn with_every_thread_stuck_the_rest_is_denied_at_once() {
    let isolation = isolation();
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    // Some only wait behind one that is not given up yet.
    while isolation.figures().stuck < MAX_STUCK {
        let ended = Arc::clone(&ended);
        let work: Work = Box::new(move |_, _| {
            let _ = ended.lock().unwrap().recv_timeout(LONG);
            Some(Verdict::default())
        });
        assert_eq!(code_of(&run(&isolation, Duration::from_millis(5), work)).0, code::BUDGET_EXCEEDED);
    }
    let started = Instant::now();
    let verdict = run(&isolation, LONG, Box::new(|_, _| Some(Verdict::default())));
    assert_eq!(code_of(&verdict), (code::BUDGET_EXCEEDED, "String(\"queue\")".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(end);
}
