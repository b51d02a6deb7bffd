//! Answers of one policy on who may ask, for who asks the same again.
//!
//! They are that policy's own and go with it, so that none outlives what it was made of. Each thread that serves has a
//! part to itself: none waits for another, and nothing is written that others read. A part holds so many callers, and so
//! many answers of each, so that a caller who asks for ever more pushes out only answers of its own; and of those, first
//! the ones that were given once only.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use crossbeam_utils::CachePadded;

use crate::{
    api::{
        caller::{Action, Asked, Caller, Question},
        settle::DoorName,
    },
    decision::{Number, Object, Value},
};

/// Callers of a part.
const CALLERS: usize = 256;

/// Of one name, so many that differ in what else is known of them: tokens of one subject.
const ALIKE: usize = 4;

/// Answers of one caller.
const ANSWERS: usize = 32;

/// The largest caller that is remembered, in bytes, about; and the longest name of an entry point.
const LARGEST: usize = 4_096;
const LONGEST: usize = 256;

/// What a policy has answered.
pub(super) struct Remembered(Box<[CachePadded<Mutex<Part>>]>);

/// How often an answer was there, and was not; of all policies, one after the other.
#[derive(Clone)]
pub(super) struct Counts(Arc<[CachePadded<(AtomicU64, AtomicU64)>]>);

type Part = HashMap<String, Kept<Vec<Kept<One>>>>;

/// A caller, and the answers that it got.
struct One {
    known: Object,
    answers: Vec<Kept<Answer>>,
}

struct Answer {
    door: DoorName,
    action: Action,
    question: Option<Asks>,
    allowed: bool,
}

struct Asks {
    entry_point: Box<str>,
    explain: bool,
    at_revision: bool,
}

/// Something, and whether it was looked up since room was last made.
struct Kept<T> {
    is_used: bool,
    item: T,
}

thread_local! {
    static HOME: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Remembered {
    /// Nothing yet, for so many threads.
    pub(super) fn new(threads: usize) -> Self {
        Self((0..threads.max(1)).map(|_| CachePadded::default()).collect())
    }

    /// What was answered to the same, or what `answer` says now. Only what it calls final is remembered.
    pub(super) fn or(&self, asked: &Asked<'_>, counts: &Counts, answer: impl FnOnce() -> Answered) -> bool {
        // Who meets another thread here does not wait.
        let part = self.part();
        if let Some(allowed) = part.and_then(|part| look_up(&mut *part.try_lock().ok()?, asked)) {
            counts.count(true);
            return allowed;
        }
        counts.count(false);
        let Answered { allowed, is_final } = answer();
        if is_final && let Some(mut part) = part.and_then(|part| part.try_lock().ok()) {
            remember(&mut part, asked, allowed);
        }
        allowed
    }

    fn part(&self) -> Option<&Mutex<Part>> {
        self.0.get(home() % self.0.len().max(1)).map(|part| &**part)
    }
}

/// An answer, and whether the same question would get the same again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) allowed: bool,
    pub(super) is_final: bool,
}

impl Counts {
    pub(super) fn new(threads: usize) -> Self {
        Self((0..threads.max(1)).map(|_| CachePadded::default()).collect())
    }

    fn count(&self, found: bool) {
        let Some(counts) = self.0.get(home() % self.0.len().max(1)) else { return };
        let (hits, misses) = &**counts;
        if found { hits } else { misses }.fetch_add(1, Relaxed);
    }

    /// All of them: what was there, what was not.
    pub(super) fn figures(&self) -> (u64, u64) {
        let add = |(hits, misses): (u64, u64), of: &CachePadded<(AtomicU64, AtomicU64)>| {
            (hits + of.0.load(Relaxed), misses + of.1.load(Relaxed))
        };
        self.0.iter().fold((0, 0), add)
    }
}

/// The calling thread's number.
fn home() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    HOME.with(|home| {
        let at = home.get().unwrap_or_else(|| NEXT.fetch_add(1, Relaxed));
        home.set(Some(at));
        at
    })
}

fn look_up(part: &mut Part, asked: &Asked<'_>) -> Option<bool> {
    let named = part.get_mut(&asked.caller.id)?;
    let caller = named.item.iter_mut().find(|one| one.item.known == asked.caller.known)?;
    let answer = caller.item.answers.iter_mut().find(|answer| answer.item.is_to(asked))?;
    (named.is_used, caller.is_used, answer.is_used) = (true, true, true);
    Some(answer.item.allowed)
}

fn remember(part: &mut Part, asked: &Asked<'_>, allowed: bool) {
    let Caller { id, known } = asked.caller;
    let is_long = asked.question.is_some_and(|question| question.entry_point.as_str().len() > LONGEST);
    if is_long || id.len() + known.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>() > LARGEST {
        return;
    }
    if part.len() >= CALLERS && !part.contains_key(id) {
        forget_one(part);
    }
    let named = part.entry(id.clone()).or_insert_with(|| Kept::new(Vec::new()));
    let at = named.item.iter().position(|one| one.item.known == *known).unwrap_or_else(|| {
        make_room(&mut named.item, ALIKE);
        named.item.push(Kept::new(One { known: known.clone(), answers: Vec::new() }));
        named.item.len() - 1
    });
    if let Some(one) = named.item.get_mut(at) {
        make_room(&mut one.item.answers, ANSWERS);
        one.item.answers.push(Kept::new(Answer::new(asked, allowed)));
    }
}

impl Answer {
    fn new(asked: &Asked<'_>, allowed: bool) -> Self {
        let Asked { caller: _, door, action, question } = *asked;
        let question = question.map(|Question { entry_point, explain, at_revision }| Asks {
            entry_point: entry_point.as_str().into(),
            explain,
            at_revision,
        });
        Self { door, action, question, allowed }
    }

    /// Whether it answers that, of its caller: all that the policy sees is the same.
    fn is_to(&self, asked: &Asked<'_>) -> bool {
        let Asked { caller: _, door, action, question } = *asked;
        let is_same = match (&self.question, question) {
            (None, None) => true,
            (Some(known), Some(Question { entry_point, explain, at_revision })) => {
                known.explain == explain
                    && known.at_revision == at_revision
                    && *known.entry_point == *entry_point.as_str()
            }
            _ => false,
        };
        is_same && self.door == door && self.action == action
    }
}

impl<T> Kept<T> {
    fn new(item: T) -> Self {
        Self { is_used: false, item }
    }
}

/// Leaves room for one more: of what was not looked up again, the first goes; where all was, all start anew.
fn make_room<T>(kept: &mut Vec<Kept<T>>, most: usize) {
    if kept.len() < most {
        return;
    }
    let at = kept.iter().position(|one| !one.is_used).unwrap_or_else(|| {
        for one in kept.iter_mut() {
            one.is_used = false;
        }
        0
    });
    kept.remove(at);
}

/// The same of callers.
fn forget_one(part: &mut Part) {
    let unused = part.iter().find(|(_, kept)| !kept.is_used).map(|(id, _)| id.clone());
    let gone = unused.or_else(|| {
        for kept in part.values_mut() {
            kept.is_used = false;
        }
        part.keys().next().cloned()
    });
    if let Some(id) = gone {
        part.remove(&id);
    }
}

/// About how many bytes a value takes.
fn size(value: &Value) -> usize {
    const EACH: usize = 32;
    EACH + match value {
        Value::Number(Number::Decimal(digits)) => digits.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + size(value)).sum(),
    }
}

#[cfg(test)]
mod tests;
