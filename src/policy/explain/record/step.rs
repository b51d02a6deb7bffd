//! Conditions that were met, put together out of their parts.

use regorus::Value as Rego;

use super::{ConditionId, Layout, Step};

impl Step {
    pub(super) fn new(condition: ConditionId, locals: Vec<Rego>, at: u64) -> Self {
        Self { condition, locals, values: Vec::new(), part: None, at, until: u64::MAX }
    }

    /// Takes the values of another report of the same condition.
    fn merge(&mut self, other: &Self) {
        if self.values.len() < other.values.len() {
            self.values.resize(other.values.len(), None);
        }
        for (value, known) in self.values.iter_mut().zip(&other.values) {
            if value.is_none() {
                value.clone_from(known);
            }
        }
        (self.at, self.until) = (self.at.min(other.at), self.until.max(other.until));
    }
}

/// The steps with the parts of each condition in it. Of conditions that were begun only, none but the last is one.
pub(super) fn whole(steps: &[Step], layout: &Layout) -> Vec<Step> {
    let principal = |step: &Step| layout.part_of.get(step.condition).copied().flatten();
    let mut found: Vec<Step> = steps.iter().filter(|step| principal(step).is_none()).cloned().collect();
    if let Some((last, condition)) = steps.last().and_then(|step| Some((step, principal(step)?)))
        && found.iter().all(|step| step.condition != condition)
    {
        found.push(Step { condition, part: Some(last.condition), ..last.clone() });
    }
    for (part, condition) in steps.iter().filter_map(|step| Some((step, principal(step)?))) {
        if let Some(step) = found.iter_mut().find(|step| step.condition == condition) {
            step.merge(part);
        }
    }
    found
}
