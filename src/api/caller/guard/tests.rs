use axum::{body::Body as Plain, http::StatusCode};
use tower::ServiceExt as _;

use super::*;
use crate::{
    api::{
        caller::{Failures, LoadConfig},
        credentials::Nobody,
        settle::{Decided, Kept, SearchEnded, Settled},
    },
    decision::Verdict,
};

/// The longest that a call may take.
const LIMIT: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Told(AtomicBool);

impl Observer for Told {
    fn decided(&self, _: &Decided<'_>, verdict: Verdict) -> Settled {
        Settled::Now(verdict)
    }

    fn searched(&self, _: &SearchEnded<'_>) -> Kept {
        Kept::Now(true)
    }

    fn failed(&self, reason: &'static str) {
        assert_eq!(reason, "DEADLINE_EXCEEDED");
        self.0.store(true, Relaxed);
    }

    fn in_flight(&self) -> Box<dyn Send + Sync> {
        Box::new(())
    }
}

/// What is answered to a call that its door answers after so long; whether that was told, and whether its place is free again.
async fn asked(method: &str, path: &str, takes: Duration) -> (StatusCode, bool, bool) {
    let told = Arc::new(Told::default());
    let patience = Duration::from_secs(60);
    let authenticator = Authenticator {
        required: false,
        keys: Arc::default(),
        token_audience: Vec::new(),
        credentials: Arc::new(Nobody),
        patience,
        failures: Failures::default(),
    };
    let load = Arc::new(Load::new(LoadConfig { max_in_flight: 1, ..LoadConfig::default() }));
    let observer = Arc::clone(&told) as Arc<dyn Observer>;
    let keeper = Keeper { authenticator, authorizer: None, load: Arc::clone(&load), patience, observer };
    let door = tower::service_fn(move |_| async move {
        tokio::time::sleep(takes).await;
        Ok::<_, Infallible>(Response::new(Plain::empty()))
    });
    let reading = Reading { longest: patience, most: 1 << 20 };
    let guard = Guard::new(door, Arc::new(keeper), Http, reading).within(LIMIT);
    let request = Request::builder().method(method).uri(path).body(Plain::from("{}")).unwrap();
    let answer = guard.oneshot(request).await.unwrap();
    (answer.status(), told.0.load(Relaxed), load.look(patience).is_ok())
}

#[tokio::test]
async fn what_waits_beyond_its_deadline_ends_and_gives_its_place_back() {
    let long = Duration::from_secs(3_600);
    for (method, path) in [
        ("POST", "/access/v1/evaluation"),
        ("POST", "/access/v1/search/subject"),
        ("POST", "/mcp/v1/authorize"),
        ("POST", "/v1/data/a"),
        ("GET", "/v1/data/a"),
        ("POST", "/v1/query"),
    ] {
        assert_eq!(asked(method, path, long).await, (StatusCode::GATEWAY_TIMEOUT, true, true), "{method} {path}");
        assert_eq!(asked(method, path, Duration::ZERO).await, (StatusCode::OK, false, true), "{method} {path}");
    }
    assert_eq!(asked("PUT", "/v1/data/a", LIMIT * 3).await, (StatusCode::OK, false, true), "a change is not ended");
}
