//! Figures by the value of a label.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;

/// Counts what comes after the last value that there is room for.
pub(super) const OTHER: &str = "other";

/// A map that is read all the time, and grows a few times in a process's life: readers write nothing shared.
pub(super) struct ByLabel<T> {
    values: ArcSwap<HashMap<Box<str>, Arc<T>>>,
    limit: usize,
}

impl<T: Default> ByLabel<T> {
    /// Has `first` from the start, and room for `limit` more.
    pub(super) fn new(first: &[&str], limit: usize) -> Self {
        let values: HashMap<Box<str>, Arc<T>> =
            first.iter().map(|value| (Box::from(*value), Arc::<T>::default())).collect();
        Self { limit: limit.saturating_add(values.len()), values: ArcSwap::from_pointee(values) }
    }

    /// Gives `record` the figures of `value`; those of [`OTHER`] if there is no room for it.
    pub(super) fn with(&self, value: &str, record: impl FnOnce(&T)) {
        let values = self.values.load();
        if let Some(found) = values.get(value) {
            return record(found);
        }
        if values.len() < self.limit {
            self.add(value);
        }
        // Looked up again, and not kept from above: of two threads that add the same value, one wins.
        let values = self.values.load();
        if let Some(found) = values.get(value).or_else(|| values.get(OTHER)) {
            record(found);
        }
    }

    /// All figures, by value.
    pub(super) fn sorted(&self) -> Vec<(Box<str>, Arc<T>)> {
        let mut all: Vec<_> =
            self.values.load().iter().map(|(value, figures)| (value.clone(), Arc::clone(figures))).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    fn add(&self, value: &str) {
        self.values.rcu(|values| {
            let mut grown = HashMap::clone(values);
            if grown.len() < self.limit {
                grown.entry(value.into()).or_default();
            }
            grown
        });
    }
}
