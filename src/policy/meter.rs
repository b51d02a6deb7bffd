//! What an evaluation uses besides time, and why it must stop. Kept by the thread that evaluates.
//!
//! regorus looks at its clock between built-ins, not inside of one, and it turns the errors of built-ins into text,
//! which a function with several definitions may drop. So each call of a built-in is weighed here before it is made,
//! and a reason to stop is remembered here until the engine asks for it after the evaluation: it can't be lost.

mod weight;

pub(super) use weight::{Kind, Limit, NODE, weigh};

use std::{
    cell::{Cell, RefCell},
    fmt,
};

use anyhow::{Error, anyhow};
use regorus::Value as Rego;

use super::budget::Spent;

/// The most that a call of a built-in may weigh on a thread that serves others: nodes, and 64 bytes of text each.
const INLINE: Limit = Limit { weight: 4_096, depth: 128 };

/// The most that a call of a built-in may weigh at all.
const ALONE: Limit = Limit { weight: 1 << 20, depth: 1_000 };

/// The most that the built-ins of one evaluation may make, in the same measure: 64 MiB of text.
const MADE: usize = 1 << 20;

/// Where an evaluation runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// On a thread that serves others: what could take long must move.
    Inline,
    /// Where it holds up nobody.
    #[default]
    Alone,
}

/// Why an evaluation must stop, whatever it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It must be put again where it holds up nobody.
    Move,
    /// It took more than it may of this.
    Spent(Spent, String),
    /// It asked what it may not.
    Forbidden(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Move => f.write_str("moved to another thread"),
            Self::Spent(_, cause) | Self::Forbidden(cause) => f.write_str(cause),
        }
    }
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Alone) };
    static LEFT: Cell<usize> = const { Cell::new(MADE) };
    static STOP: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// Begins an evaluation on this thread.
pub(super) fn start(place: Place) {
    PLACE.set(place);
    LEFT.set(MADE);
    STOP.take();
}

/// Why the evaluation on this thread must be discarded, if it must.
pub(super) fn stopped() -> Option<Stop> {
    STOP.take()
}

/// Stops the evaluation on this thread. The error is for regorus; the first reason is kept.
pub(super) fn stop(why: Stop) -> Error {
    let text = why.to_string();
    STOP.with_borrow_mut(|stop| _ = stop.get_or_insert(why));
    anyhow!(text)
}

/// Whether a call may be made now, here, with these arguments.
pub(super) fn admit(kind: &Kind, arguments: &[Rego]) -> Result<(), Error> {
    if let Some(text) = STOP.with_borrow(|why| why.as_ref().map(ToString::to_string)) {
        // Whatever goes on after a stop is for nothing. The first error may be lost, so this one says the same.
        return Err(anyhow!(text));
    }
    let inline = PLACE.get() == Place::Inline;
    if kind.is_constant {
        return Ok(());
    }
    if inline && kind.waits {
        return Err(stop(Stop::Move));
    }
    let limit = if inline { INLINE } else { ALONE };
    match kind.weigh(arguments, limit) {
        Ok(()) => Ok(()),
        Err(_) if inline => Err(stop(Stop::Move)),
        Err(Spent::Stack) => {
            let cause = format!("`{}`: an argument nests more than {} levels deep", kind.name, limit.depth);
            Err(stop(Stop::Spent(Spent::Stack, cause)))
        }
        Err(_) => {
            let cause = format!("`{}`: the arguments are larger than any call may have", kind.name);
            Err(stop(Stop::Spent(Spent::Work, cause)))
        }
    }
}

/// Counts what a call made.
pub(super) fn made(kind: &Kind, value: &Rego) -> Result<(), Error> {
    let size = weight::top(value);
    // A constant one gives what there was already.
    if size < 64 || kind.is_constant {
        return Ok(());
    }
    let left = LEFT.get().checked_sub(size);
    LEFT.set(left.unwrap_or(0));
    match left {
        Some(_) => Ok(()),
        None if PLACE.get() == Place::Inline => Err(stop(Stop::Move)),
        None => {
            let cause = format!("`{}`: the built-ins of one evaluation made more than they may (64 MiB)", kind.name);
            Err(stop(Stop::Spent(Spent::Work, cause)))
        }
    }
}

/// What a call makes, of which it counts the parts itself down from what is left; `None` where that is too little.
pub(super) fn within<T>(kind: &Kind, work: impl FnOnce(&mut usize) -> Option<T>) -> Result<T, Error> {
    let inline = PLACE.get() == Place::Inline;
    let whole = LEFT.get();
    let room = if inline { whole.min(INLINE.weight) } else { whole };
    let mut left = room;
    match work(&mut left) {
        Some(made) => {
            LEFT.set(whole.saturating_sub(room.saturating_sub(left)));
            Ok(made)
        }
        None if inline => Err(stop(Stop::Move)),
        None => {
            let cause = format!("`{}`: the built-ins of one evaluation made more than they may (64 MiB)", kind.name);
            Err(stop(Stop::Spent(Spent::Work, cause)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(count: usize) -> Rego {
        Rego::from(vec![Rego::Null; count])
    }

    #[test]
    fn what_is_large_moves_from_where_others_are_served() {
        start(Place::Inline);
        assert!(admit(&Kind::of("sort"), &[array(100)]).is_ok());
        assert!(admit(&Kind::of("count"), &[array(100_000)]).is_ok(), "does not depend on the size");
        assert!(admit(&Kind::of("sort"), &[array(100_000)]).is_err());
        assert!(admit(&Kind::of("sort"), &[array(1)]).is_err(), "nothing goes on after a stop");
        assert_eq!(stopped(), Some(Stop::Move));
        start(Place::Alone);
        assert!(admit(&Kind::of("sort"), &[array(100_000)]).is_ok());
        assert_eq!(stopped(), None);
    }

    #[test]
    fn the_first_reason_to_stop_is_kept() {
        start(Place::Alone);
        let _ = stop(Stop::Spent(Spent::Work, "one".to_owned()));
        let _ = stop(Stop::Move);
        assert_eq!(stopped(), Some(Stop::Spent(Spent::Work, "one".to_owned())));
        assert_eq!(stopped(), None);
    }

    #[test]
    fn what_an_evaluation_makes_is_counted() {
        start(Place::Alone);
        let text = Rego::from("x".repeat(8 << 20));
        for _ in 0..7 {
            assert!(made(&Kind::of("concat"), &text).is_ok());
        }
        assert!((0..2).any(|_| made(&Kind::of("concat"), &text).is_err()));
        assert!(matches!(stopped(), Some(Stop::Spent(Spent::Work, _))));
    }

    #[test]
    fn a_value_that_refers_to_one_part_many_times_is_as_large_as_it_looks() {
        let mut value = array(2);
        for _ in 0..40 {
            value = Rego::from(vec![value.clone(), value]);
        }
        start(Place::Alone);
        assert!(admit(&Kind::of("json.marshal"), &[value.clone()]).is_err());
        assert!(matches!(stopped(), Some(Stop::Spent(Spent::Work, _))));
        assert!(weigh(&value, Limit { weight: 1_000, depth: 100 }).is_err());
    }

    #[test]
    fn what_nests_too_deep_reaches_no_built_in() {
        let mut value = array(0);
        for _ in 0..2_000 {
            value = Rego::from(vec![value]);
        }
        start(Place::Alone);
        assert!(admit(&Kind::of("json.patch"), &[value]).is_err());
        assert!(matches!(stopped(), Some(Stop::Spent(Spent::Stack, _))));
    }
}
