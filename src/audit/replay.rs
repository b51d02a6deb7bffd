//! Recorded decisions read back, to be decided again: the question of a record, if the record has all of it, and what
//! another verdict says otherwise.

mod read;

use std::fmt;

use super::{encode, record::answer};
use crate::decision::{Asks, Effect, Object, Query, Value, Verdict, json};

pub use self::read::recorded;

/// A recorded decision whose question can be put again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The question, at the time at which it was put.
    pub query: Query,
    /// What was answered; `None` where the record does not say it.
    said: Said,
}

/// What a record says was answered.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    effect: Option<Effect>,
    reasons: Option<Vec<String>>,
    /// The whole document; of a verdict its other members.
    result: ResultOf,
}

/// What a record has of a result.
#[derive(Clone, Debug, Default, PartialEq)]
enum ResultOf {
    /// Not all.
    #[default]
    Unknown,
    /// This; `None` is an undefined document.
    Known(Option<Value>),
}

/// Why a recorded question can't be put again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrepeatable {
    /// The record has no payload: why.
    Withheld(String),
    /// These places of the question, or of what has to be compared, were removed or changed.
    Hidden(Vec<String>),
    /// These places were left out, because the record was too large.
    Truncated(Vec<String>),
    /// It was no valid question.
    NoQuestion,
    /// It is the record of something else than one decision.
    Other(String),
    /// A token was shown, whose claims the policy saw and no record has.
    Claims,
    /// It names no rule and no package.
    NoEntryPoint,
    /// What the policy said could not be told to Envoy, so the door denied.
    OfTheDoor,
    /// It is no record as they are written.
    Malformed(&'static str),
}

/// What another verdict says otherwise than a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The effect: what it was, and what it is.
    pub effect: Option<(Effect, Effect)>,
    /// The reason codes, in order: what they were, and what they are.
    pub reasons: Option<(Vec<String>, Vec<String>)>,
    /// The names of other members of the verdict that differ; `document` for the document that was asked for.
    pub members: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.effect.is_none() && self.reasons.is_none() && self.members.is_empty()
    }
}

impl Unrepeatable {
    /// Its name for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Withheld(_) => "withheld",
            Self::Hidden(_) => "hidden",
            Self::Truncated(_) => "truncated",
            Self::NoQuestion => "no_question",
            Self::Other(_) => "no_single_decision",
            Self::Claims => "token_claims",
            Self::NoEntryPoint => "no_entry_point",
            Self::OfTheDoor => "denied_by_door",
            Self::Malformed(_) => "malformed",
        }
    }
}

impl fmt::Display for Unrepeatable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Withheld(why) => write!(out, "the record was withheld: {why}"),
            Self::Hidden(places) => write!(out, "masked or erased: {}", places.join(", ")),
            Self::Truncated(places) => write!(out, "truncated: {}", places.join(", ")),
            Self::NoQuestion => out.write_str("it was no valid question"),
            Self::Other(what) => write!(out, "it is the record of {what}"),
            Self::Claims => out.write_str("the claims of its token are not in the record"),
            Self::NoEntryPoint => out.write_str("it names no rule and no package"),
            Self::OfTheDoor => out.write_str("the Envoy door denied what the policy said"),
            Self::Malformed(what) => write!(out, "it is no decision record: {what}"),
        }
    }
}

impl Recorded {
    /// What `verdict` says otherwise. What the record does not have is not compared.
    #[must_use]
    pub fn compare(&self, verdict: &Verdict) -> Difference {
        let mut difference = Difference::default();
        if let Some(was) = self.said.effect
            && was != verdict.effect
        {
            difference.effect = Some((was, verdict.effect));
        }
        if let Some(was) = &self.said.reasons {
            let mut are: Vec<String> = verdict.reasons.iter().map(|reason| reason.code.clone()).collect();
            are.sort_unstable();
            if *was != are {
                difference.reasons = Some((was.clone(), are));
            }
        }
        if let ResultOf::Known(was) = &self.said.result {
            difference.members = match self.query.asks {
                Asks::Document => {
                    let is = verdict.value.as_deref().and_then(written);
                    if *was == is { Vec::new() } else { vec!["document".to_owned()] }
                }
                Asks::Verdict => {
                    let is = written(&answer::contract(verdict.clone(), true));
                    members(was.as_ref(), is.map(rest).as_ref())
                }
            };
        }
        difference
    }
}

/// A value as it is read after it was written: two numbers are then equal if their digits are.
fn written(value: &Value) -> Option<Value> {
    json::parse(&encode::value(value)).ok()
}

/// A result without what is compared by itself: places and messages change with every line of a policy.
fn rest(mut result: Value) -> Value {
    if let Value::Object(members) = &mut result {
        members.remove("allow");
        members.remove("reasons");
    }
    result
}

/// The names of the members that differ.
fn members(was: Option<&Value>, is: Option<&Value>) -> Vec<String> {
    let empty = Object::new();
    let object = |value: Option<&'_ Value>| match value {
        Some(Value::Object(object)) => object.clone(),
        _ => empty.clone(),
    };
    let (was, is) = (object(was), object(is));
    let mut names: Vec<String> = was.iter().chain(is.iter()).map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| was.get(name) != is.get(name));
    names
}

#[cfg(test)]
mod tests;
