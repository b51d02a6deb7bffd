//! Running something that may panic or never end.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::policy::compile::STACK;

/// What a well-behaved evaluation may take beyond its budget, to notice that it is spent.
const GRACE: Duration = Duration::from_millis(500);

/// Why something gave no answer.
#[derive(Debug)]
pub(super) enum Stopped {
    /// It panicked, with that message.
    Panic(String),
    /// It did not end in time. Its thread is left behind; it ends with the process.
    Runaway,
    /// The system gave no thread.
    NoThread(io::Error),
}

/// Runs `work` on a thread of its own, and waits a bit longer than `limit` for it.
pub(super) fn run<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopped> {
    let (sender, answer) = mpsc::sync_channel(1);
    let body = move || {
        let result = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(panic.as_ref()));
        // Nobody listens any more if it took too long.
        let _ = sender.send(result);
    };
    thread::Builder::new().name("test".to_owned()).stack_size(STACK).spawn(body).map_err(Stopped::NoThread)?;
    match answer.recv_timeout(limit.saturating_add(GRACE)) {
        Ok(result) => result.map_err(Stopped::Panic),
        Err(_) => Err(Stopped::Runaway),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_and_a_runaway_are_answers_too() {
        assert_eq!(run(Duration::from_secs(5), || 7).unwrap(), 7);
        let panicked: Result<(), _> = run(Duration::from_secs(5), || panic!("at {}", "the disco"));
        assert!(matches!(panicked, Err(Stopped::Panic(message)) if message == "at the disco"));
        let runaway = run(Duration::ZERO, || thread::sleep(Duration::from_mins(1)));
        assert!(matches!(runaway, Err(Stopped::Runaway)));
    }
}
