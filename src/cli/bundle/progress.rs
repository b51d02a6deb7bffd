//! What is being done, on standard error, if that is a terminal and it takes long.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// One step; it is gone when this is dropped.
pub(super) struct Step(ProgressBar);

/// A step of unknown length.
pub(super) fn step(label: &str) -> Step {
    let bar = ProgressBar::new_spinner().with_message(label.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    Step(bar)
}

/// A step of so many bytes.
pub(super) fn bytes(label: &str, length: u64) -> Step {
    let bar = ProgressBar::new(length).with_message(label.to_owned());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}");
    Step(style.map_or(bar.clone(), |style| bar.with_style(style)))
}

impl Step {
    pub(super) fn done(&self, bytes: usize) {
        self.0.inc(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
