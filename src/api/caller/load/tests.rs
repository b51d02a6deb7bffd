use super::*;

fn load(max_in_flight: usize, max_queued: usize, caller_rate: u32) -> Arc<Load> {
    Arc::new(Load::new(Config { max_in_flight, max_queued, caller_rate, ..Config::default() }))
}

async fn begin(load: &Arc<Load>, patience: Duration) -> Result<Answering, Shed> {
    load.come(patience)?.begin().await
}

#[tokio::test]
async fn what_is_over_waits_and_what_is_over_that_is_refused() {
    let load = load(1, 1, 0);
    let patience = Duration::from_secs(60);
    let first = begin(&load, patience).await.ok().unwrap();
    let waiting = tokio::spawn({
        let load = Arc::clone(&load);
        async move { begin(&load, patience).await.is_ok() }
    });
    while load.queue.len() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(begin(&load, patience).await, Err(Shed::Overloaded(_))), "the queue is full");
    drop(first);
    assert!(waiting.await.unwrap());
    let Figures { limit, queued, shed, .. } = load.figures();
    assert_eq!((limit, queued, shed[0]), (1, 0, ("queue_full", 1)));
}

#[tokio::test]
async fn a_call_has_its_place_from_when_it_comes() {
    let load = load(1, 1, 0);
    let patience = Duration::from_secs(60);
    let placed = load.come(patience).ok().unwrap();
    let queued = load.come(patience).ok().unwrap();
    assert!(matches!(load.come(patience), Err(Shed::Overloaded(_))), "nobody began yet");
    drop(placed);
    assert_eq!(load.window.1.load(Relaxed), 0, "what never began is no fast answer");
    queued.begin().await.ok().unwrap().end();
    assert_eq!((load.queue.len(), load.permits.available_permits()), (0, 1));
    assert_eq!(load.window.1.load(Relaxed), 1);
}

#[tokio::test]
async fn who_looks_takes_nothing() {
    let load = load(1, 1, 0);
    let patience = Duration::from_secs(60);
    assert!((0..10).all(|_| load.look(patience).is_ok()));
    let _placed = load.come(patience).ok().unwrap();
    assert!((0..10).all(|_| load.look(patience).is_ok()), "it could wait");
    let _queued = load.come(patience).ok().unwrap();
    assert!(matches!(load.look(patience), Err(Shed::Overloaded(_))));
    assert_eq!(load.figures().shed[0], ("queue_full", 1));
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_does_not_begin() {
    let load = load(1, 1, 0);
    let came = load.come(Duration::ZERO).ok().unwrap();
    std::thread::sleep(Duration::from_millis(1));
    assert!(matches!(came.begin().await, Err(Shed::Late)));
    assert_eq!(load.permits.available_permits(), 1);
}

#[tokio::test]
async fn who_could_not_be_answered_in_time_is_refused_at_once() {
    let load = load(1, 100, 0);
    load.usual.store(Duration::from_secs(5).as_nanos().try_into().unwrap(), Relaxed);
    let _first = begin(&load, Duration::from_secs(60)).await.ok().unwrap();
    let began = Instant::now();
    assert!(matches!(begin(&load, Duration::from_secs(4)).await, Err(Shed::Overloaded(_))));
    assert!(began.elapsed() < Duration::from_secs(3), "it did not wait");
}

#[test]
fn the_limit_falls_where_answers_become_slow_and_rises_again() {
    let load = load(1_000, 0, 0);
    let windows = |took: Duration, windows: u64| {
        for _ in 0..windows {
            load.pressed.store(true, Relaxed);
            (0..WINDOW).for_each(|_| load.ended(took));
        }
    };
    (0..2 * WINDOW).for_each(|_| load.ended(Duration::from_millis(10)));
    assert_eq!(load.limit.load(Relaxed), START, "nobody needs more");
    windows(Duration::from_millis(10), 40);
    assert_eq!(load.limit.load(Relaxed), 1_000);
    windows(Duration::from_millis(100), 3);
    let low = load.limit.load(Relaxed);
    assert!((LEAST..700).contains(&low), "{low}");
    assert_eq!(load.permits.available_permits(), low);
    windows(Duration::from_millis(10), 60);
    assert_eq!((load.limit.load(Relaxed), load.permits.available_permits()), (1_000, 1_000));
}

#[tokio::test]
async fn the_limit_falls_also_where_all_permits_are_out() {
    let load = load(64, 64, 0);
    let patience = Duration::from_secs(60);
    let mut begun = Vec::new();
    for _ in 0..64 {
        begun.push(begin(&load, patience).await.ok().unwrap());
    }
    load.usual.store(1_000_000, Relaxed);
    (0..3 * WINDOW).for_each(|_| load.ended(Duration::from_millis(100)));
    assert_eq!(load.limit.load(Relaxed), LEAST);
    // Not all: that would be another window, of fast ones.
    begun.truncate(4);
    assert_eq!((load.permits.available_permits(), load.over.load(Relaxed)), (LEAST - 4, 0));
}

#[tokio::test]
async fn a_limit_that_few_calls_come_near_stays() {
    let load = load(64, 64, 0);
    let begin = async || begin(&load, Duration::from_secs(60)).await.ok().unwrap();
    let mut begun = vec![begin().await];
    load.usual.store(1_000_000, Relaxed);
    (0..3 * WINDOW).for_each(|_| load.ended(Duration::from_millis(100)));
    assert_eq!(load.limit.load(Relaxed), 64, "one call is not why it is slow");
    while begun.len() < 32 {
        begun.push(begin().await);
    }
    begun.truncate(1);
    (0..WINDOW).for_each(|_| load.ended(Duration::from_millis(100)));
    assert_eq!(load.limit.load(Relaxed), 32, "half of it were there in this window");
}

#[test]
fn a_full_server_does_not_get_used_to_being_slow() {
    let load = load(64, 64, 0);
    load.usual.store(10_000_000, Relaxed);
    for _ in 0..1_000 {
        load.pressed.store(true, Relaxed);
        (0..WINDOW).for_each(|_| load.ended(Duration::from_millis(25)));
    }
    assert_eq!(load.usual.load(Relaxed), 10_000_000);
    // Where nobody waits, it is the policies.
    (0..100 * WINDOW).for_each(|_| load.ended(Duration::from_millis(25)));
    assert_eq!(load.usual.load(Relaxed), 25_000_000);
}

#[tokio::test]
async fn only_answers_tell_how_long_answers_take() {
    let load = load(10, 0, 0);
    let counted = || load.window.1.load(Relaxed);
    load.usual.store(Duration::from_secs(1).as_nanos().try_into().unwrap(), Relaxed);
    drop(begin(&load, Duration::from_secs(60)).await.ok().unwrap());
    assert_eq!(counted(), 0, "what was refused soon says nothing");
    load.usual.store(1, Relaxed);
    drop(begin(&load, Duration::from_secs(60)).await.ok().unwrap());
    assert_eq!(counted(), 1, "what was given up took longer than usual");
    begin(&load, Duration::from_secs(60)).await.ok().unwrap().forget();
    assert_eq!(counted(), 1, "it waited for somebody else");
    begin(&load, Duration::from_secs(60)).await.ok().unwrap().end();
    assert_eq!((counted(), load.permits.available_permits()), (2, 10));
}

#[tokio::test]
async fn a_wait_for_a_record_is_no_part_of_an_answer() {
    let ask = async |load: &Arc<Load>, wait: Duration, paused: Option<bool>| {
        let mut answering = begin(load, Duration::from_secs(60)).await.ok().unwrap();
        if let Some(decided) = paused {
            answering.pause(decided);
        }
        std::thread::sleep(wait);
        answering.end();
    };
    for (paused, falls) in [(Some(true), false), (None, true)] {
        let load = load(256, 0, 0);
        // So many that the limit binds.
        let mut others = Vec::new();
        for _ in 0..128 {
            others.push(begin(&load, Duration::from_secs(60)).await.ok().unwrap());
        }
        for _ in 0..WINDOW {
            ask(&load, Duration::ZERO, None).await;
        }
        for _ in 0..WINDOW {
            ask(&load, SLOW + Duration::from_millis(2), paused).await;
        }
        assert_eq!(load.figures().limit < 256, falls, "{paused:?}");
        assert_eq!(load.window.1.load(Relaxed), 0, "each was counted once");
    }
    let load = load(256, 0, 0);
    ask(&load, Duration::ZERO, Some(false)).await;
    assert_eq!(load.window.1.load(Relaxed), 0, "nothing was decided");
}
