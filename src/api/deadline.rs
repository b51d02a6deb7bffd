//! The moment by which a call must be answered.

use std::time::{Duration, Instant};

use super::{caller::Asking, status::CallError};

/// The moment by which a call must be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// So long from the arrival of the call that this task answers: its message has come since, and it may have waited.
    pub(super) fn of_call(time: Duration) -> Self {
        Self(Asking::arrived() + time)
    }

    /// So long from now.
    pub(super) fn within(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// What is left of it; an error once it has passed.
    pub(super) fn left(self) -> Result<Duration, CallError> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(CallError::DeadlineExceeded) } else { Ok(left) }
    }
}
