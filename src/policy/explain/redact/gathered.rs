//! What reports of an evaluation show to be hidden, and values without it.

use std::collections::{BTreeSet, HashSet};

use regorus::Value as Rego;

use super::{Collected, HIDDEN, Held, MAX_DEPTH, MAX_GATHERED, Named, Redaction, Secrets, Shower};

/// What reports of an evaluation show to be hidden: what is under a hidden name in any value of it.
#[derive(Debug, Default)]
pub(in crate::policy) struct Gathered {
    redaction: Option<Redaction>,
    collected: Collected,
    // Values that were looked through, by their places, and kept so that the places stay theirs.
    known: HashSet<(usize, bool)>,
    kept: Vec<Rego>,
}

impl Gathered {
    pub(in crate::policy) fn new(redaction: Redaction) -> Self {
        Self { redaction: Some(redaction), ..Self::default() }
    }

    /// Looks through a value for what has a hidden name in it.
    pub(in crate::policy) fn whole(&mut self, value: &Rego) {
        self.look(value, Held::No);
    }

    /// Takes a value that has a hidden name itself.
    pub(in crate::policy) fn named(&mut self, value: &Rego) {
        self.look(value, Held::Name(Named::Exactly));
    }

    fn look(&mut self, value: &Rego, held: Held) {
        let Some(redaction) = self.redaction.as_ref().filter(|_| !self.collected.all) else { return };
        let place = match value {
            Rego::Array(items) => Some(std::ptr::from_ref(&**items).addr()),
            Rego::Set(items) => Some(std::ptr::from_ref(&**items).addr()),
            Rego::Object(members) => Some(std::ptr::from_ref(&**members).addr()),
            _ => None,
        };
        if let Some(place) = place {
            if !self.known.insert((place, held == Held::No)) {
                return;
            }
            self.kept.push(value.clone());
        }
        self.collected.look(redaction, value, &[], held, 0);
        self.collected.all |= self.collected.nodes > MAX_GATHERED;
    }

    pub(in crate::policy) fn secrets(self) -> Secrets {
        Secrets::from(self.collected)
    }
}

impl Shower<'_> {
    /// What stands for a value of a hidden name; truth is none that can be hidden.
    pub(in crate::policy) fn mask_of(value: &Rego) -> Rego {
        if matches!(value, Rego::Bool(_) | Rego::Null) { value.clone() } else { Rego::from(HIDDEN) }
    }

    /// The value with [`HIDDEN`] in the place of what is hidden.
    pub(in crate::policy) fn masked(&self, value: &Rego) -> Rego {
        self.mask(value, 0)
    }

    fn mask(&self, value: &Rego, depth: usize) -> Rego {
        if depth > MAX_DEPTH {
            return Rego::from("…");
        }
        let inside = |item: &Rego| self.mask(item, depth + 1);
        match value {
            Rego::String(text) if self.hides(text) => Rego::from(HIDDEN),
            Rego::Number(_) if self.hides(&value.to_string()) => Rego::from(HIDDEN),
            Rego::Array(items) => Rego::from(items.iter().map(inside).collect::<Vec<Rego>>()),
            Rego::Set(items) => Rego::from(items.iter_sorted().map(inside).collect::<BTreeSet<Rego>>()),
            Rego::Object(members) => {
                let mut shown = Rego::new_object();
                for (key, item) in members.iter_sorted() {
                    let hidden = matches!(key, Rego::String(name) if self.redaction.hides(name));
                    let item = if hidden { Rego::from(HIDDEN) } else { inside(item) };
                    if let Ok(shown) = shown.as_object_mut() {
                        shown.insert(inside(key), item);
                    }
                }
                shown
            }
            other => other.clone(),
        }
    }
}
