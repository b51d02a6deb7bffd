//! How much a glob may take: its tree of matchers can be asked about each part of a text many times over.

use super::super::Failure;

/// The most steps that reading a glob, or matching one text, may take; a step looks at a byte or so.
const MOST: usize = 1 << 26;
/// How deep matchers may stand in others.
pub(super) const MAX_DEPTH: usize = 300;

/// What is left to take.
pub(super) struct Work {
    left: usize,
}

impl Work {
    pub(super) fn new() -> Self {
        Self { left: MOST }
    }

    /// Takes so many steps.
    pub(super) fn take(&mut self, steps: usize) -> Result<(), Failure> {
        self.left = self.left.checked_sub(steps).ok_or_else(|| Failure::Spent("the glob takes too long".to_owned()))?;
        Ok(())
    }

    /// How many steps were taken.
    pub(super) fn taken(&self) -> usize {
        MOST - self.left
    }
}
