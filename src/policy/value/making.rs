//! Domain values on their way to Rego.
//!
//! The questions of an enforcement point look alike: they have the same names, and many of the same values. So a question
//! is written over the one before it where that has the same names and nobody else holds it; what differs is made anew.

use std::sync::Arc;

use regorus::{Value as Rego, value::Object as Members};

use super::{Words, from_number, text};
use crate::{
    decision::{Object, Value},
    policy::meter::NODE,
};

/// Values on their way.
pub(super) struct Making<'a> {
    /// What they may still weigh.
    pub(super) left: usize,
    pub(super) words: &'a mut Words,
}

/// What becomes a value. Only attributes are weighed.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    Value(&'a Value),
    Object(&'a Object),
    Text(&'a str),
    /// A text that questions have again and again.
    Word(&'a str),
    /// In ascending order of names.
    Members(&'a [(&'a Rego, Part<'a>)]),
}

impl Making<'_> {
    /// Makes `slot` what `part` says; `None` where that weighs more than what is left, and `slot` is then of no use.
    pub(super) fn renew(&mut self, slot: &mut Rego, part: Part<'_>) -> Option<()> {
        let left = self.left;
        if !self.rewrite(slot, part)? {
            self.left = left;
            *slot = self.made(part)?;
        }
        Some(())
    }

    /// The same where it takes no memory but for what differs; `false` where it can't be done so.
    fn rewrite(&mut self, slot: &mut Rego, part: Part<'_>) -> Option<bool> {
        match (slot, part) {
            (slot, Part::Value(value)) => self.rewrite_value(slot, value),
            (Rego::String(known), Part::Text(string) | Part::Word(string)) => Some(known.as_ref() == string),
            (Rego::Object(known), Part::Object(members)) => {
                if !is_named(known, members) {
                    return Some(false);
                }
                if members.is_empty() {
                    return Some(true);
                }
                let Some(known) = Arc::get_mut(known) else { return Some(false) };
                for ((_, slot), (name, value)) in known.iter_mut().zip(members.iter()) {
                    self.left = self.left.checked_sub(1 + name.len() / NODE)?;
                    self.renew(slot, Part::Value(value))?;
                }
                Some(true)
            }
            (Rego::Object(known), Part::Members(members)) => {
                if known.len() != members.len() || !known.keys().eq(members.iter().map(|(name, _)| *name)) {
                    return Some(false);
                }
                let Some(known) = Arc::get_mut(known) else { return Some(false) };
                let mut both = known.iter_mut().zip(members);
                both.try_for_each(|((_, slot), (_, part))| self.renew(slot, *part))?;
                Some(true)
            }
            _ => Some(false),
        }
    }

    fn rewrite_value(&mut self, slot: &mut Rego, value: &Value) -> Option<bool> {
        self.left = self.left.checked_sub(1)?;
        match (slot, value) {
            (slot, Value::String(string)) => {
                self.left = self.left.checked_sub(string.len() / NODE)?;
                self.rewrite(slot, Part::Text(string))
            }
            (slot, Value::Object(members)) => self.rewrite(slot, Part::Object(members)),
            (Rego::Array(known), Value::Array(items)) if known.len() == items.len() => {
                let Some(known) = Arc::get_mut(known) else { return Some(false) };
                let mut both = known.iter_mut().zip(items);
                both.try_for_each(|(slot, item)| self.renew(slot, Part::Value(item)))?;
                Some(true)
            }
            _ => Some(false),
        }
    }

    fn made(&mut self, part: Part<'_>) -> Option<Rego> {
        Some(match part {
            Part::Value(value) => self.value(value)?,
            Part::Object(members) => self.object(members)?,
            Part::Text(string) => text(string),
            Part::Word(word) => self.words.word(word),
            Part::Members(members) => {
                let mut object = Members::new();
                for (name, part) in members {
                    object.insert((*name).clone(), self.made(*part)?);
                }
                Rego::Object(Arc::new(object))
            }
        })
    }

    /// A domain value as a Rego value; `None` where it weighs more than what is left.
    fn value(&mut self, value: &Value) -> Option<Rego> {
        self.left = self.left.checked_sub(1)?;
        Some(match value {
            Value::Null => Rego::Null,
            Value::Bool(truth) => Rego::Bool(*truth),
            Value::Number(number) => from_number(number),
            Value::String(string) => {
                self.left = self.left.checked_sub(string.len() / NODE)?;
                text(string)
            }
            Value::Array(items) => Rego::from(items.iter().map(|item| self.value(item)).collect::<Option<Vec<_>>>()?),
            Value::Object(members) => self.object(members)?,
        })
    }

    fn object(&mut self, members: &Object) -> Option<Rego> {
        if members.is_empty() {
            return Some(Rego::new_object());
        }
        let mut object = Members::new();
        for (name, value) in members.iter() {
            self.left = self.left.checked_sub(1 + name.len() / NODE)?;
            object.insert(self.words.word(name), self.value(value)?);
        }
        Some(Rego::Object(Arc::new(object)))
    }
}

/// Whether an object has the names of `members`, and no others.
fn is_named(known: &Members, members: &Object) -> bool {
    let same = |known: &Rego, name: &str| matches!(known, Rego::String(known) if known.as_ref() == name);
    let mut names = known.keys().zip(members.iter());
    known.len() == members.len() && names.all(|(known, (name, _))| same(known, name))
}

#[cfg(test)]
mod tests;
