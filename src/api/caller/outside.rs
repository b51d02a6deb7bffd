//! Waits for what is not this server's to hasten: an issuer of tokens, a revision that is to come. A call has no place
//! meanwhile, so that who makes many wait holds up nobody, and its wait says nothing of how long answers take.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    task::Poll,
    time::Instant,
};

use tokio::sync::OwnedSemaphorePermit;

use super::{
    ASKING, Asking, Load,
    load::{Answering, Shed},
};

/// Where a call stands that is answered.
pub(super) struct Stand {
    load: Arc<Load>,
    /// How long its client waits.
    until: Instant,
    /// Its place, if it needs one and has it now.
    answering: Mutex<Option<Answering>>,
}

/// Waits for `waited`, without a place if that takes time. Without one afterwards the call is answered no more: the gate
/// sees to that.
pub(in crate::api) async fn outside<F: Future>(waited: F) -> F::Output {
    let mut waited = pin!(waited);
    let at_once = poll_fn(|context| Poll::Ready(waited.as_mut().poll(context))).await;
    if let Poll::Ready(output) = at_once {
        return output;
    }
    let Ok(asking) = ASKING.try_with(Arc::clone) else { return waited.await };
    let Some(stays) = asking.stand.as_ref().and_then(Stand::step_out) else { return waited.await };
    let output = waited.await;
    drop(stays);
    asking.step_in().await;
    output
}

impl Stand {
    /// It is answered, with that place.
    pub(super) fn new(load: &Arc<Load>, until: Instant, answering: Option<Answering>) -> Self {
        Self { load: Arc::clone(load), until, answering: Mutex::new(answering) }
    }

    /// Whether that caller may ask once more now.
    pub(super) fn rate(&self, caller: &str) -> Result<(), Shed> {
        self.load.rate(caller, Instant::now())
    }

    /// It waits in its place, and only the time until now counts, if something was decided.
    pub(super) fn pause(&self, decided: bool) {
        let mut answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        answering.as_mut().into_iter().for_each(|placed| placed.pause(decided));
    }

    /// Its place, which it has no longer.
    pub(super) fn leave(&self) -> Option<Answering> {
        self.answering.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives its place back, if it has one and there is room for one more that waits; else it waits in its place, and that
    /// does not count.
    fn step_out(&self) -> Option<OwnedSemaphorePermit> {
        let mut answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        let placed = answering.as_mut()?;
        placed.waits();
        let stays = self.load.outside()?;
        *answering = None;
        Some(stays)
    }

    async fn again(&self) -> Result<(), Shed> {
        let left = self.until.checked_duration_since(Instant::now()).ok_or(Shed::Late)?;
        let answering = self.load.come(left)?.begin().await?;
        *self.answering.lock().unwrap_or_else(PoisonError::into_inner) = Some(answering);
        Ok(())
    }
}

impl Asking {
    async fn step_in(&self) {
        let Some(stand) = &self.stand else { return };
        if let Err(why) = stand.again().await {
            let _ = self.lost.set(why);
            self.placed.store(false, Relaxed);
        }
    }
}

impl fmt::Debug for Stand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Stand").field("until", &self.until).finish_non_exhaustive()
    }
}
