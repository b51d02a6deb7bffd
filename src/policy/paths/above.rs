//! What reads base data above the objects in the place of which a `with` puts others.
//!
//! OPA keeps what the `with`s in force put apart from base data. What a reference leads to is only what was put where a
//! target is at or above it; elsewhere the two are merged, objects with objects, and what was put counts more. regorus has
//! one tree, in which what is put replaces. The two differ for a reference that ends above a target, where an object
//! replaces an object: there regorus has lost the members of base data.

use regorus::Value as Rego;

use super::{
    Paths,
    arrays::{is_way, reached},
    at,
};
use crate::policy::rego::lower::{Above, Pattern};

impl Paths {
    /// How what a path leads to is to be merged with base data; `None` where no `with` can hide any of that.
    pub(in crate::policy) fn above(&self, data: Option<&Rego>, path: &Pattern) -> Option<Above> {
        let objects = self.objects(data);
        if !objects.iter().any(|target| target.len() > path.len() && is_way(path, target)) {
            return None;
        }
        let known = path.iter().take_while(|name| name.is_some()).count();
        let begin = path.get(..known)?;
        // Of what a call gives, everything is found as what it is.
        let is_looked_up = |length: usize| {
            path.get(..length)
                .is_some_and(|way| data.is_some_and(|data| reached(data, way)) || self.numbered(data, way))
        };
        let is_unclear = known < path.len()
            && (known == 0
                || self.rules.keys().any(|rule| is_way(begin, rule))
                || (known..path.len()).any(is_looked_up));
        if is_unclear {
            return Some(Above::Unclear);
        }
        let ends = |target: &&Vec<String>| target.len() <= path.len() && is_way(path, target);
        let targets = objects.iter().filter(ends).cloned().collect();
        Some(Above::Known { names: known, targets })
    }

    /// Whether what reads base data must know that a `with` with this target is in force: it ends what others below it have
    /// merged.
    pub(in crate::policy) fn is_marked(&self, data: Option<&Rego>, target: &[String]) -> bool {
        let objects = self.objects(data);
        let may_be_below =
            |other: &Vec<String>| other.len() > target.len() && (target.is_empty() || other.first() == target.first());
        objects.iter().any(|object| object == target) && objects.iter().any(may_be_below)
    }

    /// The targets of which [`Paths::is_marked`] holds.
    pub(in crate::policy) fn marked(&self, data: Option<&Rego>) -> Vec<Vec<String>> {
        self.objects(data).iter().filter(|target| self.is_marked(data, target)).cloned().collect()
    }

    /// What a `with` replaces and base data has an object for.
    fn objects(&self, data: Option<&Rego>) -> &[Vec<String>] {
        self.objects.get_or_init(|| {
            let is_object =
                |target: &&Vec<String>| data.and_then(|data| at(data, target)).is_some_and(|at| at.as_object().is_ok());
            self.replaced.iter().filter(is_object).cloned().collect()
        })
    }
}
