//! What is written does not stay in the system's memory: nobody reads it soon, and what is read often is to stay there.
//!
//! That is less work, too: the next records get the memory that the last ones had, and none that must be found first.

use super::File;

/// After so many bytes the system is told of them.
const STEP: u64 = 4 << 20;

impl File {
    /// Tells the system that what was written is not read soon. What it has not on disk yet is on its way there from then
    /// on, and its memory is free after the next time.
    pub(super) fn let_go(&mut self) {
        // Another file was begun.
        self.told = self.told.min(self.at.length);
        if self.at.length - self.told < STEP {
            return;
        }
        #[cfg(target_os = "linux")]
        {
            let from = self.told.saturating_sub(2 * STEP);
            let length = std::num::NonZeroU64::new(self.at.length - from);
            // It is advice: nothing depends on it.
            let _ = rustix::fs::fadvise(&self.open, from, length, rustix::fs::Advice::DontNeed);
        }
        self.told = self.at.length;
    }
}
