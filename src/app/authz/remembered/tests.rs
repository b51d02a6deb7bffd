use proptest::prelude::*;

use super::*;
use crate::decision::EntryPoint;

const COUNTS: fn() -> Counts = || Counts::new(1);

fn caller(id: &str, scope: &str) -> Caller {
    Caller::new(id.to_owned(), "token", [("scope", Value::from(scope))])
}

fn entry(name: &str) -> EntryPoint {
    name.parse().unwrap()
}

fn ask<'a>(caller: &'a Caller, entry_point: &'a EntryPoint) -> Asked<'a> {
    let question = Question { entry_point, explain: false, at_revision: false };
    Asked { caller, door: DoorName::GRPC, action: Action::Ask, question: Some(question) }
}

/// Whether something is answered from memory.
fn knows(remembered: &Remembered, asked: &Asked<'_>) -> bool {
    let mut was_asked = false;
    remembered.or(asked, &COUNTS(), || {
        was_asked = true;
        Answered { allowed: false, is_final: false }
    });
    !was_asked
}

fn say(remembered: &Remembered, asked: &Asked<'_>, allowed: bool) -> bool {
    remembered.or(asked, &COUNTS(), || Answered { allowed, is_final: true })
}

#[test]
fn what_is_not_final_is_asked_again() {
    let (remembered, me, entry) = (Remembered::new(1), caller("key:a", ""), entry("data.a"));
    let asked = ask(&me, &entry);
    for allowed in [true, false, true] {
        assert_eq!(remembered.or(&asked, &COUNTS(), || Answered { allowed, is_final: false }), allowed);
    }
    assert!(say(&remembered, &asked, true));
    assert!(say(&remembered, &asked, false), "what was final stays");
    let counts = COUNTS();
    remembered.or(&asked, &counts, || panic!("it is known"));
    assert_eq!(counts.figures(), (1, 0));
}

#[test]
fn who_asks_for_ever_more_pushes_out_neither_others_nor_what_is_asked_often() {
    let (remembered, me, other) = (Remembered::new(1), caller("key:a", ""), caller("key:b", ""));
    let hot = entry("data.hot");
    say(&remembered, &ask(&me, &hot), true);
    say(&remembered, &ask(&other, &hot), true);
    assert!(knows(&remembered, &ask(&me, &hot)));
    for at in 0..10_000 {
        say(&remembered, &ask(&me, &entry(&format!("data.cold{at}"))), false);
    }
    assert!(knows(&remembered, &ask(&me, &hot)), "what is asked often stays");
    assert!(knows(&remembered, &ask(&other, &hot)));
    let part = remembered.0[0].lock().unwrap();
    assert_eq!(part["key:a"].item[0].item.answers.len(), ANSWERS);
}

#[test]
fn callers_and_what_is_known_of_them_are_bounded() {
    let remembered = Remembered::new(1);
    let hot = entry("data.hot");
    let me = caller("key:me", "");
    say(&remembered, &ask(&me, &hot), true);
    assert!(knows(&remembered, &ask(&me, &hot)));
    for at in 0..10 * CALLERS {
        say(&remembered, &ask(&caller(&format!("key:{at}"), ""), &hot), true);
        say(&remembered, &ask(&caller("key:same", &at.to_string()), &hot), true);
    }
    assert!(knows(&remembered, &ask(&me, &hot)), "who comes often stays");
    for (caller, entry) in [
        (caller("key:me", &"x".repeat(LARGEST)), entry("data.a")),
        (caller("key:me", ""), entry(&format!("data.{}", "x".repeat(LONGEST)))),
    ] {
        say(&remembered, &ask(&caller, &entry), true);
        assert!(!knows(&remembered, &ask(&caller, &entry)), "too large to be remembered");
    }
    // Which callers are left of those that were not looked up again, no test can say.
    assert_eq!(remembered.0[0].lock().unwrap().len(), CALLERS);
    let remembered = Remembered::new(1);
    for at in 0..10 * ALIKE {
        say(&remembered, &ask(&caller("key:same", &at.to_string()), &hot), true);
    }
    assert_eq!(remembered.0[0].lock().unwrap()["key:same"].item.len(), ALIKE);
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(all: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(all.to_vec())
}

proptest! {
    /// Whatever was asked before: the answer is that of what the policy sees, and of nothing else.
    #[test]
    fn an_answer_is_never_another_question_s(asked in proptest::collection::vec((
        (one_of(&["key:a", "key:b"]), one_of(&["", "x", "y", "z", "1", "2"])),
        (one_of(&[DoorName::GRPC, DoorName::OPA]), one_of(&[Action::Ask, Action::Observe])),
        proptest::option::of((one_of(&["data.a", "data.b", "data.a.b"]), any::<bool>(), any::<bool>())),
    ), 1..400)) {
        let remembered = Remembered::new(1);
        // As good as any rule: about half of what can be asked.
        let rule = |asked: &Asked<'_>| {
            use std::hash::{DefaultHasher, Hash as _, Hasher as _};
            let mut hasher = DefaultHasher::new();
            format!("{:?}", asked.input()).hash(&mut hasher);
            hasher.finish().is_multiple_of(2)
        };
        for ((id, scope), (door, action), question) in asked {
            let caller = caller(id, scope);
            let named = question.map(|(name, explain, at_revision)| (entry(name), explain, at_revision));
            let question = named.as_ref().map(|(entry_point, explain, at_revision)| {
                Question { entry_point, explain: *explain, at_revision: *at_revision }
            });
            let asked = Asked { caller: &caller, door, action, question };
            let answer = remembered.or(&asked, &COUNTS(), || Answered { allowed: rule(&asked), is_final: true });
            prop_assert_eq!(answer, rule(&asked));
        }
    }
}
