//! Waits for what is not this server's to hasten: an issuer of tokens, a revision that is to come. A call has no place
//! meanwhile, so that who makes many wait holds up nobody, and its wait says nothing of how long answers take.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    task::Poll,
    time::{Duration, Instant},
};

use super::{
    ASKING, Asking, Load,
    load::{Answering, Outside, Shed},
};
use crate::api::status::CallError;

/// Where a call stands that is answered.
pub(super) struct Stand {
    load: Arc<Load>,
    /// How long its client waits.
    until: Instant,
    /// Its place, if it needs one and has it now.
    answering: Mutex<Option<Answering>>,
}

/// A message in memory is that many times as large as it came, where it has many small values.
const LARGER: usize = 16;

/// Waits for `waited`, without a place if that takes time.
///
/// # Errors
/// Where too many wait already, or there is no place for the call afterwards. Then it is answered no more, whatever becomes
/// of this: the gate sees to that.
pub(in crate::api) async fn outside<F: Future>(waited: F) -> Result<F::Output, CallError> {
    let asking = ASKING.try_with(Arc::clone).ok();
    if let Some(why) = asking.as_ref().and_then(|asking| asking.lost.get()) {
        return Err((*why).into());
    }
    let mut waited = pin!(waited);
    let at_once = poll_fn(|context| Poll::Ready(waited.as_mut().poll(context))).await;
    if let Poll::Ready(output) = at_once {
        return Ok(output);
    }
    let Some((asking, stand)) = asking.as_ref().and_then(|asking| Some((asking, asking.stand.as_ref()?))) else {
        return Ok(waited.await);
    };
    let stays = stand.step_out(asking.size.load(Relaxed)).map_err(|why| asking.lose(why))?;
    let output = waited.await;
    drop(stays);
    stand.again().await.map_err(|why| asking.lose(why))?;
    Ok(output)
}

impl Stand {
    /// It is answered, with that place.
    pub(super) fn new(load: &Arc<Load>, until: Instant, answering: Option<Answering>) -> Self {
        Self { load: Arc::clone(load), until, answering: Mutex::new(answering) }
    }

    /// What the server may do at once.
    pub(super) fn load(&self) -> &Arc<Load> {
        &self.load
    }

    /// Where another question stands that came with the same call, once it has its place.
    pub(super) async fn another(&self, patience: Duration) -> Result<Self, Shed> {
        let until = Instant::now() + patience;
        let answering = self.load.come(patience)?.begin().await?;
        Ok(Self::new(&self.load, until, Some(answering)))
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

    /// Gives its place back, if there is room for one more that waits, with a message of `size` bytes.
    fn step_out(&self, size: usize) -> Result<Outside, Shed> {
        // A wait is no part of what answers take.
        self.leave().into_iter().for_each(Answering::forget);
        self.load.outside(size.saturating_mul(LARGER))
    }

    async fn again(&self) -> Result<(), Shed> {
        let left = self.until.checked_duration_since(Instant::now()).ok_or(Shed::Late)?;
        let answering = self.load.come(left)?.begin().await?;
        *self.answering.lock().unwrap_or_else(PoisonError::into_inner) = Some(answering);
        Ok(())
    }
}

impl Asking {
    /// It has no place any longer.
    fn lose(&self, why: Shed) -> CallError {
        let _ = self.lost.set(why);
        self.placed.store(false, Relaxed);
        self.refuse();
        why.into()
    }
}

impl fmt::Debug for Stand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Stand").field("until", &self.until).finish_non_exhaustive()
    }
}
