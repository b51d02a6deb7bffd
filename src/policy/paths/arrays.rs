//! Where base data has arrays, and where there is none.

use regorus::Value as Rego;

use super::{Kind, Paths};
use crate::policy::rego::lower::{Arrays, Pattern, names};

impl Paths {
    /// Whether a path may lead to an array of base data, and whether to nothing else.
    pub(in crate::policy) fn arrays(&self, data: Option<&Rego>, path: &Pattern) -> Option<Arrays> {
        let known = self.arrays.borrow().get(path).copied();
        let is_reached = known.unwrap_or_else(|| {
            let is_reached = data.is_some_and(|data| reached(data, path));
            self.arrays.borrow_mut().insert(path.to_vec(), is_reached);
            is_reached
        });
        let meets =
            |other: &[String]| path.iter().zip(other).all(|(one, other)| one.as_ref().is_none_or(|one| one == other));
        let is_shared =
            || self.rules.keys().any(|rule| meets(rule)) || self.replaced.iter().any(|target| meets(target));
        is_reached.then(|| if is_shared() { Arrays::AmongOthers } else { Arrays::Alone })
    }

    /// Whether a path may lead to an object of base data in which a number finds a name.
    pub(in crate::policy) fn numbered(&self, data: Option<&Rego>, path: &Pattern) -> bool {
        let known = self.numbered.borrow().get(path).copied();
        known.unwrap_or_else(|| {
            let is_numbered = data.is_some_and(|data| has_numbers(data, path));
            self.numbered.borrow_mut().insert(path.to_vec(), is_numbered);
            is_numbered
        })
    }

    /// Whether a path leads to a part of what a rule makes: no base data, and no package.
    pub(in crate::policy) fn is_made(&self, data: Option<&Rego>, path: &Pattern) -> bool {
        let meets =
            |rule: &[String]| path.iter().zip(rule).all(|(one, other)| one.as_ref().is_none_or(|one| one == other));
        let is_made = self.rules.iter().any(|(rule, kind)| path.len() > kind.package && meets(rule));
        is_made && !data.is_some_and(|data| leads(data, path, &is_container))
    }

    /// Whether a `with` may put something in the place of what a path leads to, which is base data otherwise.
    pub(in crate::policy) fn is_replaced(&self, path: &Pattern) -> bool {
        self.puts(path) && !self.rules.keys().any(|rule| is_way(path, rule))
    }

    /// Whether a path may lead to base data and to a part of what a rule makes, or to packages in the place of which a `with`
    /// puts something.
    pub(in crate::policy) fn is_unclear(&self, data: Option<&Rego>, path: &Pattern) -> bool {
        let of_rule = |(rule, kind): (&Vec<String>, &Kind)| path.len() > kind.package && is_way(path, rule);
        let of_package = |(rule, kind): (&Vec<String>, &Kind)| path.len() <= kind.package && is_way(path, rule);
        (self.rules.iter().any(of_rule) && data.is_some_and(|data| leads(data, path, &is_container)))
            || (self.puts(path) && self.rules.iter().any(of_package))
    }

    fn puts(&self, path: &Pattern) -> bool {
        self.replaced.iter().any(|target| target.len() <= path.len() && is_way(path, target))
    }
}

/// Whether the names of the shorter one of a path and of another begin the other.
pub(super) fn is_way(path: &Pattern, other: &[String]) -> bool {
    path.iter().zip(other).all(|(one, other)| one.as_ref().is_none_or(|one| one == other))
}

fn is_container(value: &Rego) -> bool {
    matches!(value, Rego::Array(_) | Rego::Object(_))
}

/// Whether a path may lead to an array.
pub(in crate::policy) fn reached(value: &Rego, path: &Pattern) -> bool {
    leads(value, path, &|value| matches!(value, Rego::Array(_)))
}

/// Whether a path may lead to an object with a name that begins as a number does.
pub(in crate::policy) fn has_numbers(value: &Rego, path: &Pattern) -> bool {
    leads(value, path, &|value| match value {
        Rego::Object(members) => {
            members.iter().any(|(name, _)| matches!(name, Rego::String(name) if names::may_be_a_number(name)))
        }
        _ => false,
    })
}

/// Whether a path may lead to such a value.
pub(in crate::policy) fn leads(value: &Rego, path: &Pattern, is_such: &dyn Fn(&Rego) -> bool) -> bool {
    let Some((first, rest)) = path.split_first() else { return is_such(value) };
    match (value, first) {
        (Rego::Object(members), Some(name)) => {
            members.get(&Rego::from(name.as_str())).is_some_and(|member| leads(member, rest, is_such))
        }
        (Rego::Object(members), None) => members.iter().any(|(_, member)| leads(member, rest, is_such)),
        (Rego::Array(items), Some(name)) => {
            let item = names::number_of(name).and_then(|number| items.get(number));
            item.is_some_and(|item| leads(item, rest, is_such))
        }
        (Rego::Array(items), None) => items.iter().any(|item| leads(item, rest, is_such)),
        _ => false,
    }
}
