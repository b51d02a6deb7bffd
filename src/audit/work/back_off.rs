//! How long to wait after failures: up to twice as long each time, by chance, so that many do not come back at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

pub(super) struct BackOff(Duration);

impl Default for BackOff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl BackOff {
    /// The next pause: from half of it to all of it.
    pub(super) fn next(&mut self) -> Duration {
        let whole = self.0;
        self.0 = (whole * 2).min(LONGEST);
        let mut byte = [0_u8];
        // Without random bytes there is no jitter.
        let _ = aws_lc_rs::rand::fill(&mut byte);
        whole / 2 + whole / 2 * u32::from(byte[0]) / 255
    }
}
