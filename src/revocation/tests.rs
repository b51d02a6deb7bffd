//! The registry over a file.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use futures::{FutureExt as _, executor::block_on};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::*;
use crate::{
    decision::{Object, Value, json as domain},
    identity::Revocations as _,
};

const ISSUER: &str = "https://login.example.com";
const NOW: u64 = 1_700_000_000;

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// A registry whose writer has a thread of its own.
struct Open {
    registry: Registry,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Open {
    fn at(path: PathBuf) -> Self {
        let config = Config { store: Some(path), max_entries: 100 };
        let (registry, writer) = Registry::open_at(&config, clock).unwrap();
        registry.know(vec![("login".to_owned(), ISSUER.to_owned())]);
        Self { registry, thread: Some(std::thread::spawn(|| writer.run())) }
    }

    fn revoke(&self, revocation: Revocation) -> Id {
        block_on(self.registry.change(Change { add: vec![revocation], ..Change::default() })).unwrap().added[0]
    }

    fn is_revoked(&self, claims: &Json) -> bool {
        self.registry.is_revoked("login", &object(claims))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.registry.close();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn object(json: &Json) -> Object {
    match domain::parse(json.to_string().as_bytes()) {
        Ok(Value::Object(members)) => members,
        other => panic!("{other:?}"),
    }
}

fn revocation(kind: Kind, value: &str, reach: Reach) -> Revocation {
    Revocation {
        target: Target::new(kind, ISSUER, value),
        reach,
        reason: "lost".to_owned(),
        author: "alice".to_owned(),
        at: NOW,
        source: String::new(),
        event: String::new(),
    }
}

fn from_event(kind: Kind, value: &str, reach: Reach, event: &str, at: u64) -> Revocation {
    Revocation { source: "idp".to_owned(), event: event.to_owned(), at, ..revocation(kind, value, reach) }
}

#[test]
fn revokes_by_every_kind_and_only_what_is_meant() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    let token = json!({"iss": ISSUER, "jti": "t", "sid": "s", "sub": "did:u", "client_id": "c", "azp": "z", "iat": NOW,
        "email": "Ann@Example.com", "actors": [{"sub": "a"}, {"sub": "b", "client_id": "agent"}]});
    assert!(!open.is_revoked(&token));
    for (kind, value) in [
        (Kind::Token, "t"),
        (Kind::Session, "s"),
        (Kind::Subject, "did:u"),
        (Kind::Client, "c"),
        (Kind::Client, "z"),
        (Kind::Client, "agent"),
        (Kind::Actor, "a"),
        (Kind::Actor, "b"),
        (Kind::Actor, "agent"),
        (Kind::Identifier, "email:ann@example.com"),
        (Kind::Identifier, "uri:did:u"),
        (Kind::Everything, ""),
    ] {
        let id = open.revoke(revocation(kind, value, Reach::default()));
        assert!(open.is_revoked(&token), "{kind} {value}");
        let other = json!({"iss": ISSUER, "jti": "o", "sid": "o", "sub": "o", "iat": NOW});
        assert_eq!(open.is_revoked(&other), kind == Kind::Everything);
        let done = block_on(open.registry.change(Change { remove: vec![id], ..Change::default() })).unwrap();
        assert_eq!(done.removed.len(), 1);
        assert!(!open.is_revoked(&token), "{kind} {value} is lifted");
    }
    let elsewhere = Revocation {
        target: Target::new(Kind::Token, "https://other.example.com", "t"),
        ..revocation(Kind::Token, "t", Reach::default())
    };
    open.revoke(elsewhere);
    assert!(!open.is_revoked(&token));
}

#[test]
fn a_restart_forgets_nothing_but_what_is_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/er/r.redb");
    let before = Open::at(path.clone());
    let epoch = before.registry.epoch();
    before.revoke(revocation(Kind::Token, "kept", Reach::default()));
    assert!(before.registry.epoch() > epoch);
    before.revoke(revocation(Kind::Subject, "u", Reach { issued_before: Some(NOW), sessions: true, expires: None }));
    before.revoke(revocation(Kind::Token, "over", Reach { expires: Some(NOW), ..Reach::default() }));
    let signal = Signal {
        target: Target::new(Kind::Subject, ISSUER, "u"),
        name: "risk_level".to_owned(),
        attribute: Attribute { value: json!({"current_level": "HIGH"}), at: 5, source: "idp".to_owned() },
    };
    let seen = Seen { transmitter: "idp".to_owned(), jti: "1".to_owned(), until: NOW + 9 };
    let change = Change { seen: Some(seen), signals: vec![signal.clone()], ..Change::default() };
    assert!(!block_on(before.registry.change(change.clone())).unwrap().replayed);
    drop(before);

    let after = Open::at(path.clone());
    assert!(after.is_revoked(&json!({"jti": "kept"})) && !after.is_revoked(&json!({"jti": "over"})));
    assert!(
        after.is_revoked(&json!({"sub": "u", "iat": NOW - 1})) && !after.is_revoked(&json!({"sub": "u", "iat": NOW}))
    );
    assert!(after.is_revoked(&json!({"sub": "u", "iat": NOW, "auth_time": NOW - 1})));
    assert!(after.is_revoked(&json!({"sub": "u"})), "a token without a time is before every time");
    assert!(block_on(after.registry.change(change)).unwrap().replayed);
    let said = after.registry.said(&signal.target).unwrap();
    assert_eq!(said, object(&json!({"risk_level": {"current_level": "HIGH", "at": 5, "source": "idp"}})));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn is_listed_page_by_page() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    for number in 0..7 {
        open.revoke(revocation(Kind::Token, &format!("t{number}"), Reach::default()));
    }
    open.revoke(revocation(Kind::Session, "s", Reach::default()));
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = open.registry.list(&Filter::default(), after, 3).unwrap();
        assert!(page.revocations.len() <= 3);
        found.extend(page.revocations);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 8);
    assert!(found.is_sorted_by_key(|(id, _)| *id));
    let filter = Filter { kind: Some(Kind::Session), ..Filter::default() };
    assert_eq!(open.registry.list(&filter, None, 10).unwrap().revocations.len(), 1);
    let filter = Filter {
        kind: Some(Kind::Token),
        issuer: Some(ISSUER.to_owned()),
        value: Some("t3".to_owned()),
        source: Some(String::new()),
    };
    let page = open.registry.list(&filter, None, 10).unwrap();
    assert_eq!(page.revocations[0].1, revocation(Kind::Token, "t3", Reach::default()));
    assert_eq!(page.revocations[0].0.to_string().parse(), Ok(page.revocations[0].0));
}

#[test]
fn an_event_s_end_ends_only_its_own() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    let user = json!({"sub": "u", "iat": NOW});
    open.revoke(from_event(Kind::Subject, "u", Reach::default(), "account-disabled", NOW));
    let lift = |until| Lift {
        target: Target::new(Kind::Subject, ISSUER, "u"),
        source: "idp".to_owned(),
        event: "account-disabled".to_owned(),
        until,
    };
    let change = |until| Change { lift: vec![lift(until)], ..Change::default() };
    block_on(open.registry.change(change(NOW - 1))).unwrap();
    assert!(open.is_revoked(&user), "it was enabled before it was disabled");
    block_on(open.registry.change(change(NOW))).unwrap();
    assert!(!open.is_revoked(&user));
    open.revoke(from_event(Kind::Subject, "u", Reach::default(), "account-disabled", NOW));
    open.revoke(from_event(Kind::Subject, "u", Reach::default(), "account-purged", NOW));
    block_on(open.registry.change(change(NOW))).unwrap();
    assert!(open.is_revoked(&user), "it was purged, too");
    open.revoke(revocation(Kind::Subject, "u", Reach::default()));
    assert_eq!(open.registry.figures().revocations[2], (Kind::Subject, 2));
}

#[test]
fn the_last_of_the_same_events_is_kept() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    for at in 1..=20 {
        let reach = Reach { issued_before: Some(at), sessions: true, expires: Some(NOW + at) };
        open.revoke(from_event(Kind::Subject, "u", reach, "sessions-revoked", at));
    }
    assert_eq!(open.registry.figures().revocations[2], (Kind::Subject, 1));
    assert!(open.is_revoked(&json!({"sub": "u", "iat": 19})) && !open.is_revoked(&json!({"sub": "u", "iat": 20})));
}

#[test]
fn a_later_word_on_a_subject_stays() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    let target = Target::new(Kind::Subject, ISSUER, "u");
    for (at, level) in [(5, "LOW"), (9, "HIGH"), (7, "MEDIUM")] {
        let attribute = Attribute { value: json!({"level": level}), at, source: "idp".to_owned() };
        let signal = Signal { target: target.clone(), name: "risk_level".to_owned(), attribute };
        block_on(open.registry.change(Change { signals: vec![signal], ..Change::default() })).unwrap();
    }
    let said = open.registry.said(&target).unwrap();
    let high = json!({"risk_level": {"level": "HIGH", "at": 9, "source": "idp"}});
    assert_eq!(said, object(&high));
    let attribute = Attribute { value: json!({"level": "LOW"}), at: 10, source: "idp".to_owned() };
    for (kind, value) in [(Kind::Identifier, "email:u@example.com"), (Kind::Device, "d"), (Kind::Group, "tenant:t")] {
        let target = Target::new(kind, ISSUER, value);
        let signal = Signal { target, name: "risk_level".to_owned(), attribute: attribute.clone() };
        block_on(open.registry.change(Change { signals: vec![signal], ..Change::default() })).unwrap();
    }
    let low = json!({"risk_level": {"level": "LOW", "at": 10, "source": "idp"}});
    let seen = |claims: Json| open.registry.signals("login", &object(&claims));
    assert_eq!(seen(json!({"sub": "u"})), object(&json!({"subject": high})));
    let all = json!({"sub": "u", "email": "U@example.com", "device_id": "d", "tid": "t", "sid": "s"});
    assert_eq!(seen(all), object(&json!({"subject": low, "device": low, "tenant": low})));
    assert_eq!(seen(json!({"sub": "v"})), Object::new());
    let all = open.registry.everything_said(2).unwrap();
    let of = all[ISSUER].as_object().unwrap();
    assert_eq!(of.values().map(|kind| kind.as_object().unwrap().len()).sum::<usize>(), 2, "{all}");
    assert_eq!(open.registry.everything_said(9).unwrap()[ISSUER]["subject"]["u"], high);
}

#[test]
fn is_bounded_and_says_so() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    let many = |from: usize, to: usize| Change {
        add: (from..to).map(|number| revocation(Kind::Token, &number.to_string(), Reach::default())).collect(),
        ..Change::default()
    };
    block_on(open.registry.change(many(0, 100))).unwrap();
    assert_eq!(block_on(open.registry.change(many(100, 101))).unwrap_err(), Refused::Full(100));
}

#[test]
fn without_a_file_nothing_is_revoked() {
    let (registry, _) = Registry::open(&Config::default()).unwrap();
    let change = Change { add: vec![revocation(Kind::Token, "t", Reach::default())], ..Change::default() };
    assert_eq!(block_on(registry.change(change)).unwrap_err(), Refused::Off);
    assert!(!registry.is_revoked("login", &object(&json!({"jti": "t"}))));
}

#[test]
fn a_damaged_file_is_refused_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("r.redb");
    let open = Open::at(path.clone());
    for number in 0..50 {
        open.revoke(revocation(Kind::Token, &format!("token-number-{number}"), Reach::default()));
    }
    drop(open);
    let good = fs::read(&path).unwrap();
    let config = Config { store: Some(path.clone()), max_entries: 100 };
    // It may also stand in pages that are no longer used, which nobody reads.
    let mut damaged = good.clone();
    let places = good.windows(15).enumerate().filter(|(_, part)| part == b"token-number-33").map(|(place, _)| place);
    places.for_each(|place| damaged[place] = b'x');
    fs::write(&path, damaged).unwrap();
    let error = Registry::open(&config).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("restore the file from a copy"), "{error}");
    for bad in [&b"no database at all, but long enough to be read as one".repeat(200)[..], &good[..good.len() / 2]] {
        fs::write(&path, bad).unwrap();
        assert!(Registry::open(&config).is_err());
    }
    fs::write(&path, good).unwrap();
    assert!(matches!(
        Registry::open(&Config { max_entries: 10, ..config.clone() }).err().unwrap(),
        OpenError::TooMany { .. }
    ));
    let open = Open::at(path);
    assert!(open.is_revoked(&json!({"jti": "token-number-33"})));
    assert!(Registry::open(&config).is_err(), "one process has it");
}

#[test]
fn what_is_on_disk_is_in_force_however_ends_and_revocations_cross() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    let target = || revocation(Kind::Token, "t", Reach::default());
    let id = open.revoke(target());
    for _ in 0..200 {
        let end = open.registry.change(Change { remove: vec![id], ..Change::default() });
        let begin = open.registry.change(Change { add: vec![target()], ..Change::default() });
        let (end, begin) = block_on(futures::future::join(end, begin));
        assert!(end.is_ok() && begin.is_ok());
        let kept = open.registry.list(&Filter::default(), None, 10).unwrap().revocations.len() == 1;
        assert_eq!(open.is_revoked(&json!({"jti": "t"})), kept);
        assert!(kept, "the revocation came last");
    }
}

#[test]
fn what_came_before_leaves_nothing_in_force_that_is_not_on_disk() {
    let folder = TempDir::new().unwrap();
    let config = Config { store: Some(folder.path().join("r.redb")), max_entries: 100 };
    let (registry, writer) = Registry::open_at(&config, clock).unwrap();
    registry.know(vec![("login".to_owned(), ISSUER.to_owned())]);
    let change = |value: &str| {
        let seen = Seen { transmitter: "idp".to_owned(), jti: "one".to_owned(), until: NOW + 60 };
        let add = vec![from_event(Kind::Session, value, Reach::default(), "session-revoked", NOW)];
        Change { seen: Some(seen), add, ..Change::default() }
    };
    // Both come before the first is written.
    let (mut first, mut second) = (Box::pin(registry.change(change("a"))), Box::pin(registry.change(change("b"))));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    let mut again = Box::pin(registry.change(change("a")));
    assert!(again.as_mut().now_or_never().is_none());
    let thread = std::thread::spawn(|| writer.run());
    assert!(!block_on(first).unwrap().replayed && block_on(second).unwrap().replayed);
    assert!(block_on(again).unwrap().replayed);
    let is_revoked = |sid: &str| registry.is_revoked("login", &object(&json!({"iss": ISSUER, "sid": sid, "iat": NOW})));
    assert!(is_revoked("a") && !is_revoked("b"));
    assert_eq!(registry.list(&Filter::default(), None, 10).unwrap().revocations.len(), 1);
    registry.close();
    thread.join().unwrap();
}

#[test]
fn where_signals_are_full_what_is_known_can_still_be_disabled() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    let signal = |value: &str| Signal {
        target: Target::new(Kind::Subject, ISSUER, value),
        name: "account".to_owned(),
        attribute: Attribute { value: json!({"status": "disabled"}), at: NOW, source: "idp".to_owned() },
    };
    let tell = |value: &str| {
        let add = vec![from_event(Kind::Subject, value, Reach::default(), "account-disabled", NOW)];
        block_on(open.registry.change(Change { add, signals: vec![signal(value)], ..Change::default() }))
    };
    for number in 0..100 {
        let change = Change { signals: vec![signal(&number.to_string())], ..Change::default() };
        block_on(open.registry.change(change)).unwrap();
    }
    assert_eq!(tell("100").unwrap_err(), Refused::Full(100));
    tell("7").unwrap();
    assert!(open.is_revoked(&json!({"iss": ISSUER, "sub": "7", "iat": NOW})));
}

#[test]
fn an_end_leaves_another_revocation_of_the_same() {
    let folder = TempDir::new().unwrap();
    let open = Open::at(folder.path().join("r.redb"));
    // Beyond what times are held to, the two are held as one.
    let far = |expires| revocation(Kind::Subject, "u", Reach { expires: Some(expires), ..Reach::default() });
    let (first, second) = (open.revoke(far(5_000_000_000)), open.revoke(far(6_000_000_000)));
    let end = |id| block_on(open.registry.change(Change { remove: vec![id], ..Change::default() })).unwrap();
    if first != second {
        end(first);
        assert!(open.is_revoked(&json!({"sub": "u", "iat": NOW})));
    }
    end(second);
    assert!(!open.is_revoked(&json!({"sub": "u", "iat": NOW})));
}
