//! What the supervisor that started this process is told, as systemd has it (`sd_notify(3)`); nothing where there is none.

use std::{sync::Arc, time::Duration};

use sd_notify::NotifyState;

use super::state::{Serving, State};
use crate::api::ops::Status as _;

/// Tells it when questions are welcome for the first time, what has become of that since, and that this is the end; and, if
/// it wants to know, that the threads that serve still do.
pub(super) async fn tell(state: Arc<State>) -> &'static str {
    // Three in the time after which it would take us for dead.
    let every = sd_notify::watchdog_enabled().map(|patience| patience / 3);
    let mut watchdog = tokio::time::interval(every.unwrap_or(Duration::from_hours(24)).max(Duration::from_millis(1)));
    let (mut serving, mut was_ready) = (state.serving(), false);
    loop {
        let now = *serving.borrow_and_update();
        let readiness = state.readiness();
        let status = readiness.reason.as_deref().unwrap_or("questions are welcome");
        match now {
            Serving::Draining => {
                say(&[NotifyState::Stopping, NotifyState::Status(status)]);
                return "supervisor's news";
            }
            Serving::Ready if !was_ready => {
                was_ready = true;
                say(&[NotifyState::Ready, NotifyState::Status(status)]);
            }
            _ => say(&[NotifyState::Status(status)]),
        }
        loop {
            tokio::select! {
                changed = serving.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return "supervisor's news",
                },
                _ = watchdog.tick(), if every.is_some() => say(&[NotifyState::Watchdog]),
            }
        }
    }
}

/// Tells it of a reload: that everything is looked at, and that the server goes on. What comes of it comes later, as of every
/// change that is followed. Nothing of it before questions were welcome: it would take that for the end of the start.
pub(super) fn reload(is_ready: bool, look: impl FnOnce()) {
    if !is_ready {
        return look();
    }
    let now = NotifyState::monotonic_usec_now();
    match now {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(_) => say(&[NotifyState::Reloading]),
    }
    look();
    say(&[NotifyState::Ready]);
}

fn say(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::debug!(%error, "the supervisor can't be told");
    }
}
