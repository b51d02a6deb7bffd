//! What stays the same throughout one evaluation: the time, and what chance gave. `time.now_ns`, `rand.intn`,
//! `uuid.rfc4122`, `opa.runtime`, and the clock of all other built-ins.

use std::{cell::RefCell, collections::BTreeMap, time::SystemTime};

use aws_lc_rs::rand;
use regorus::Value as Rego;

use super::{
    Failure, Function, network,
    operand::{Answer, any, array_of, failed, int, string, text},
};

/// The family.
pub(super) const ALL: &[Function] = &[
    Function { name: "time.now_ns", arity: 0, call: |_| Ok(Rego::from(now_ns())) },
    Function { name: "rand.intn", arity: 2, call: intn },
    Function { name: "uuid.rfc4122", arity: 1, call: uuid },
    Function { name: "opa.runtime", arity: 0, call: runtime },
];

/// How much of what chance gave an evaluation keeps.
const MOST: usize = 100_000;

struct Evaluation {
    /// From the first that asks for it on: most ask for none, and looking at the clock takes time, too.
    now_ns: Option<i64>,
    /// By the name of the built-in and its arguments.
    drawn: BTreeMap<(&'static str, Rego), Rego>,
}

thread_local! {
    static EVALUATION: RefCell<Option<Evaluation>> = const { RefCell::new(None) };
}

/// An evaluation on this thread, until this is dropped. Without one, the clock runs and chance repeats nothing. One that
/// begins within another is a part of that one: a question that asks several rules asks them at one time.
pub(in crate::policy) struct Query {
    outermost: Option<network::Query>,
}

impl Query {
    /// Begins one.
    pub(in crate::policy) fn begin() -> Self {
        Self::begin_at(None)
    }

    /// The same at a time of its own, unless it is a part of another one.
    pub(in crate::policy) fn begin_at(time: Option<SystemTime>) -> Self {
        if EVALUATION.with_borrow(Option::is_some) {
            return Self { outermost: None };
        }
        let now_ns = time.map(nanos);
        EVALUATION.set(Some(Evaluation { now_ns, drawn: BTreeMap::new() }));
        Self { outermost: Some(network::Query::begin()) }
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        if self.outermost.is_some() {
            EVALUATION.set(None);
        }
    }
}

/// The time of the evaluation, in nanoseconds since 1970.
pub(super) fn now_ns() -> i64 {
    EVALUATION.with_borrow_mut(|evaluation| match evaluation {
        Some(Evaluation { now_ns, .. }) => *now_ns.get_or_insert_with(clock),
        None => clock(),
    })
}

fn clock() -> i64 {
    nanos(SystemTime::now())
}

fn nanos(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// What `draw` gave for the same arguments before, or what it gives now.
fn once(name: &'static str, key: Rego, draw: impl FnOnce() -> Answer) -> Answer {
    EVALUATION.with_borrow_mut(|evaluation| {
        let Some(Evaluation { drawn, .. }) = evaluation else { return draw() };
        if let Some(value) = drawn.get(&(name, key.clone())) {
            return Ok(value.clone());
        }
        if drawn.len() >= MOST {
            return Err(Failure::Spent(format!("more than {MOST} random values in one evaluation")));
        }
        let value = draw()?;
        drawn.insert((name, key), value.clone());
        Ok(value)
    })
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Failure::Halt("there is no source of random numbers".to_owned()))?;
    Ok(bytes)
}

/// A whole number from 0 to below the size of the second operand.
fn intn(arguments: &[Rego]) -> Answer {
    let (name, below) = (text(arguments, 0)?, int(arguments, 1)?.unsigned_abs());
    if below == 0 {
        return Ok(Rego::from(0_u64));
    }
    if i64::try_from(below).is_err() {
        return failed("invalid argument to Intn");
    }
    once("rand.intn", array_of([string(name), Rego::from(below)]), || {
        // The high half of the product: evenly spread but for less than one in 2^64 of each.
        let drawn = (u128::from(u64::from_ne_bytes(random()?)) * u128::from(below)) >> 64;
        Ok(Rego::from(drawn))
    })
}

/// A random UUID (RFC 4122 §4.4).
fn uuid(arguments: &[Rego]) -> Answer {
    once("uuid.rfc4122", any(arguments, 0).clone(), || {
        Ok(string(uuid::Builder::from_random_bytes(random()?).into_uuid().hyphenated().to_string()))
    })
}

/// What `opa eval` gives, but nothing of the environment.
#[expect(clippy::unnecessary_wraps, reason = "every built-in has this type")]
/// Empty, as in OPA used as a library: neither the environment nor the configuration is for policies to see.
fn runtime(_: &[Rego]) -> Answer {
    Ok(Rego::new_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(name: &str, below: i64) -> Answer {
        intn(&[Rego::from(name), Rego::from(below)])
    }

    #[test]
    fn an_evaluation_has_one_time_and_one_chance() {
        let evaluation = Query::begin();
        let (now, number, id) = (now_ns(), drawn("a", i64::MAX), uuid(&[Rego::from("a")]));
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(now_ns(), now);
        assert_eq!(drawn("a", i64::MAX), number);
        assert_eq!(drawn("a", -i64::MAX), number);
        assert_ne!(drawn("b", i64::MAX), number);
        assert_eq!(uuid(&[Rego::from("a")]), id);
        assert_ne!(uuid(&[Rego::from("b")]), id);
        drop(evaluation);
        let _next = Query::begin();
        assert!(now_ns() > now);
        assert_ne!(drawn("a", i64::MAX), number);
        assert_ne!(uuid(&[Rego::from("a")]), id);
    }

    #[test]
    fn random_numbers_are_below_their_limit() {
        for below in [0_i64, 1, -1] {
            assert_eq!(drawn("a", below), Ok(Rego::from(0_u64)));
        }
        for name in 0..100 {
            let number = drawn(&name.to_string(), -3).unwrap().as_u64().unwrap();
            assert!(number < 3, "{number}");
        }
        assert!(matches!(drawn("a", i64::MIN), Err(Failure::Operand(_))));
        assert!(matches!(intn(&[Rego::from("a"), Rego::from(1.5)]), Err(Failure::Type(_))));
        assert!(matches!(intn(&[Rego::Null, Rego::from(1_i64)]), Err(Failure::Type(_))));
    }

    #[test]
    fn names_can_be_spent() {
        let _evaluation = Query::begin();
        let mut all = (0..=MOST).map(|name| uuid(&[Rego::from(name as u64)]));
        assert!(all.by_ref().take(MOST).all(|drawn| drawn.is_ok()));
        assert!(matches!(all.next(), Some(Err(Failure::Spent(_)))));
    }
}
