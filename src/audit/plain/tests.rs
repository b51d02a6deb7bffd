//! Both ways to a record's line write the same, or the short way writes nothing.

use std::{cell::Cell, time::SystemTime};

use proptest::prelude::*;

use super::*;
use crate::{
    audit::{
        event::Event,
        record::{Made, Masking, Record},
        rules::{Rule, Ruling},
    },
    decision::{Action, Effect, Number, Obligation, Reason, Resource, SourcePosition, StepUp, Subject},
    decision::{Diagnostic, SearchSummary, Searched},
};

struct Unasked;

impl Rules for Unasked {
    fn any(&self, _: u64, _: Rule) -> bool {
        false
    }

    fn is_silent(&self, sequence: u64) -> bool {
        sequence != 5
    }

    fn ask(&self, _: u64, _: Rule, _: Value) -> Ruling {
        Ruling::Undefined
    }
}

/// What is thrown decides how a decision looks.
struct Dice {
    thrown: Vec<u8>,
    next: Cell<usize>,
}

const TEXTS: [&str; 16] = [
    "alice",
    "",
    "document:42",
    "the role `editor` of bob grants read",
    "a \"quoted\" \\ text\twith\nends\u{1}",
    "gr\u{fc}\u{df}e \u{2028} \u{7f} \u{1f600}",
    "4711",
    "x=1&y=2",
    "basic authentication is off",
    "[1, 2, 3]",
    "eyJhbGciOiJub25lIn0.e30.",
    "Bearer s3cr3t-value-1",
    "/cb?access_token=hunter22",
    "{\"user\": {\"password\": \"hunter22\"}}",
    "hunter22",
    "-----BEGIN PRIVATE KEY-----",
];

const NAMES: [&str; 12] = [
    "role",
    "ip",
    "z",
    "a~b/c",
    "with \"quotes\"",
    "",
    "id",
    "password",
    "clientSecret",
    "x-api-key",
    "gr\u{f6}\u{df}e",
    "verified",
];

impl Dice {
    fn below(&self, sides: usize) -> usize {
        let at = self.next.get();
        self.next.set(at + 1);
        usize::from(self.thrown.get(at).copied().unwrap_or_default()) % sides
    }

    /// Seldom, so that many decisions are plain.
    fn rarely(&self) -> bool {
        self.below(12) == 11
    }

    fn text(&self) -> String {
        let most = if self.rarely() { TEXTS.len() } else { 10 };
        TEXTS[self.below(most)].to_owned()
    }

    fn object(&self, depth: usize) -> Object {
        let most = if self.rarely() { NAMES.len() } else { 7 };
        (0..self.below(4)).map(|_| (NAMES[self.below(most)].to_owned(), self.value(depth))).collect()
    }

    fn value(&self, depth: usize) -> Value {
        match self.below(if depth == 0 { 8 } else { 10 }) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => Value::from(-42),
            3 => Value::Number(Number::UInt(u64::MAX)),
            4 => Value::Number(Number::Float(-0.1e-9)),
            5 if self.rarely() => Value::Number(Number::Decimal("1e400".into())),
            5..8 => Value::String(self.text()),
            8 => Value::Array((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
            _ => Value::Object(self.object(depth - 1)),
        }
    }

    fn some<T>(&self, make: impl FnOnce() -> T) -> Option<T> {
        (self.below(2) == 1).then(make)
    }

    fn query(&self) -> Query {
        let mut token = self.object(1);
        for name in ["iss", "sub", "client_id", "jti", "sid"] {
            if let Some(text) = self.some(|| self.text()) {
                token.insert(name.to_owned(), Value::String(text));
            }
        }
        if self.below(2) == 1 {
            let verified = [("issuer", self.text()), ("kind", self.text())];
            let verified: Object =
                verified.map(|(name, text)| (name.to_owned(), Value::String(text))).into_iter().collect();
            token.insert("verified".to_owned(), Value::Object(verified));
        }
        Query {
            subject: Subject { kind: self.text(), id: self.text(), properties: self.object(2) },
            action: Action { name: self.text(), properties: self.object(1) },
            resource: Resource { kind: self.text(), id: self.text(), properties: self.object(2) },
            context: self.object(3),
            policy: self.some(|| crate::decision::EntryPoint::from_parts(["authz".to_owned(), self.text()])),
            token: self.some(|| token),
            input: match self.below(6) {
                0 => Input::Document(self.value(3)),
                1 => Input::Undefined,
                _ => Input::Parts,
            },
            asks: if self.below(3) == 0 { Asks::Document } else { Asks::Verdict },
            strict: self.below(4) == 0,
            ..Query::default()
        }
    }

    fn position(&self) -> SourcePosition {
        SourcePosition { file: self.text().into(), line: 3, column: 9 }
    }

    fn verdict(&self) -> Verdict {
        let reason = || Reason {
            code: self.text(),
            message: self.text(),
            user_message: self.text(),
            rule: self.some(|| self.text().into()),
            position: self.some(|| self.position()),
            properties: self.object(1),
        };
        let obligation = || Obligation { id: self.text(), kind: self.text(), properties: self.object(1) };
        let sequence = self.below(7) as u64;
        Verdict {
            effect: if self.below(2) == 0 { Effect::Allow } else { Effect::Deny },
            reasons: (0..self.below(3)).map(|_| reason()).collect(),
            obligations: (0..self.below(3)).map(|_| obligation()).collect(),
            required_scopes: (0..self.below(3)).map(|_| self.text()).collect(),
            step_up: self.some(|| StepUp {
                acr_values: (0..self.below(3)).map(|_| self.text()).collect(),
                max_age: self.some(|| std::time::Duration::from_millis(90_500)),
            }),
            context: self.object(2),
            ttl: self.some(|| std::time::Duration::from_secs(30)),
            diagnostics: if self.rarely() {
                vec![Diagnostic { code: "internal_error".into(), message: self.text(), position: None }]
            } else {
                Vec::new()
            },
            revision: Revision {
                sequence,
                bundles: self.some(|| ("main".to_owned(), self.text())).into_iter().collect(),
                ..Revision::default()
            },
            entry_point: self.some(|| self.text().into()),
            explanation: None,
            value: self.some(|| Box::new(self.value(3))),
        }
    }
}

/// The line by either way; the short one's is `None` where it leaves it to the other.
fn lines(dice: &Dice, limit: usize) -> (Option<String>, String) {
    let mut names = SensitiveNames::all();
    names.push("iban");
    let (mask, rules) = (Mask::default(), Arc::new(Unasked) as Arc<dyn Rules>);
    let (query, verdict, request_id) = (dice.some(|| dice.query()), dice.verdict(), dice.text());
    let (trace_id, span_id) = ([7; 16], *b"\x00\x01abcdef");
    let caller_id = dice.some(|| "spiffe://example.org/gateway \"1\"");
    let decision = Decision {
        door: "grpc",
        decision_id: "0197f0c6-0000-7000-8000-000000000001",
        request_id: &request_id,
        query: query.as_ref(),
        search: dice.rarely().then_some(SearchSummary {
            searched: Searched::Subject,
            candidates: 3,
            decided: 2,
            allowed: 1,
            complete: true,
        }),
        took: std::time::Duration::from_nanos(12_345),
        time: SystemTime::UNIX_EPOCH
            + std::time::Duration::new(
                1_700_000_000 + dice.below(3) as u64,
                1_020 * u32::try_from(dice.below(200)).unwrap(),
            ),
        caller: match dice.below(4) {
            0 => Some(Peer::Unix { pid: dice.some(|| 17), uid: 1000, gid: 100 }),
            1 => Some(Peer::Tcp("[2001:db8::1]:443".parse().unwrap())),
            2 => Some(Peer::Tcp("127.0.0.1:40312".parse().unwrap())),
            _ => None,
        },
        caller_id,
        before: dice.some(|| std::time::Duration::from_nanos(987)),
        trace: dice.some(|| SpanName { trace_id, span_id, sampled: dice.below(2) == 1 }),
    };
    let plain = Plain::new(Format::Verdict, &mask, names.clone(), &rules, limit);
    let mut short = b"of the one before".to_vec();
    let short = plain.write(&decision, &verdict, &mut short).then(|| String::from_utf8(short).unwrap());
    let masking = Masking { mask: &mask, names: &names, rules: &*rules, failed: &|_, _| {} };
    let Made::Record(mut record) = Record::make(Event::new(&decision, &verdict, limit), &masking) else {
        panic!("no rule drops it")
    };
    record.logged = std::time::Duration::ZERO;
    let identity = crate::audit::Identity { id: "x".to_owned(), version: "1" };
    let long = String::from_utf8(encode::line(&record, Format::Verdict, &identity)).unwrap();
    (short, long)
}

#[test]
fn most_decisions_are_plain_and_both_ways_write_the_same() {
    let mut plain = 0;
    for seed in 0..4_000_u64 {
        let thrown = (0..400).scan(seed * 2 + 1, |state, _| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Some(state.to_be_bytes()[1])
        });
        let dice = Dice { thrown: thrown.collect(), next: Cell::new(0) };
        if let (Some(short), long) = lines(&dice, 256 << 10) {
            assert_eq!(short, long, "seed {seed}");
            plain += 1;
        }
    }
    assert!(plain >= 400, "{plain} of 4000 were plain: the test tests nothing");
}

proptest! {
    #[test]
    fn both_ways_write_the_same(thrown in proptest::collection::vec(any::<u8>(), 0..300), limit in prop_oneof![Just(256 << 10), 0..9_000_usize]) {
        let dice = Dice { thrown, next: Cell::new(0) };
        if let (Some(short), long) = lines(&dice, limit) {
            prop_assert_eq!(short, long);
        }
    }
}

#[test]
fn what_has_a_secret_is_not_written_at_once() {
    let plain = Plain::new(
        Format::Verdict,
        &Mask::default(),
        SensitiveNames::all(),
        &(Arc::new(Unasked) as Arc<dyn Rules>),
        256 << 10,
    );
    let written = |query: &Query, verdict: &Verdict| {
        let decision = Decision {
            door: "grpc",
            decision_id: "1",
            request_id: "",
            query: Some(query),
            search: None,
            took: std::time::Duration::ZERO,
            time: SystemTime::UNIX_EPOCH,
            caller: None,
            caller_id: None,
            before: None,
            trace: None,
        };
        plain.write(&decision, verdict, &mut Vec::new())
    };
    let with = |name: &str, value: &str| Query {
        context: [(
            "list".to_owned(),
            Value::Array(vec![Value::Object([(name.to_owned(), value.into())].into_iter().collect())]),
        )]
        .into_iter()
        .collect(),
        ..Query::default()
    };
    let allow = Verdict { effect: Effect::Allow, ..Verdict::default() };
    assert!(written(&with("note", "of no interest"), &allow));
    for (name, value) in [
        ("password", "x"),
        ("note", "Bearer s3cr3t-value-1"),
        ("note", "a?token=abc"),
        ("eyJhbGciOiJub25lIn0.e30.", "x"),
    ] {
        assert!(!written(&with(name, value), &allow), "{name}: {value}");
    }
    let said = Verdict { reasons: vec![Reason::new("no", "Bearer s3cr3t-value-1 is not known")], ..allow.clone() };
    assert!(!written(&Query::default(), &said));
    let asked = Verdict { revision: Revision { sequence: 5, ..Revision::default() }, ..allow };
    assert!(!written(&Query::default(), &asked), "a policy may have a say");
}
