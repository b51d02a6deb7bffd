//! Who asks: callers are authenticated before a door sees their call, and what they ask is held to what they may.
//!
//! [`Guard`] stands before the doors, and [`Gate`] before the Decider, where the question is known. Between them goes
//! `Asking`, with the task. What nobody has authenticated is refused: a question whose task says nothing of its caller,
//! too.

mod ahead;
mod authenticate;
mod gate;
mod guard;
mod keys;
mod load;
mod outside;
mod route;
mod unpacked;
mod unsent;

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

pub use self::{
    authenticate::{Authenticator, Failures},
    gate::Gate,
    guard::{Grpc, Guard, Http, Keeper, PREFIX, Reading},
    keys::{InvalidKeys, Keys, PREFIX as KEY_PREFIX},
    load::{Config as LoadConfig, Figures as LoadFigures, Load},
    route::{Action, DOORS},
};
use self::{
    load::{Answering, Shed},
    outside::Stand,
    route::Route,
};
pub(super) use self::{outside::outside, unpacked::Unpacked};
use super::{settle::DoorName, status::CallError};
use crate::decision::{EntryPoint, Object, Value};

tokio::task_local! {
    static ASKING: Arc<Asking>;
}

/// Settings of who may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Whether callers must be known. Without it, everyone who reaches a door may ask.
    pub required: bool,
    /// The file of the hashes of keys.
    pub keys_file: Option<PathBuf>,
    /// The audiences of which a token must have one to prove a caller; without any, no token does.
    pub token_audience: Vec<String>,
    /// The file that says who may ask what, for the built-in policy.
    pub grants_file: Option<PathBuf>,
    /// The folder of a policy in place of the built-in one.
    pub policy: Option<PathBuf>,
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Whom it is: `spiffe://…`, `dns:…`, `uri:…`, `key:NAME`, `token:ISSUER#SUBJECT` or `unix:UID`. Two ways to prove
    /// oneself never give one name.
    pub id: String,
    /// What policies see of it.
    pub known: Object,
}

/// Marks a call that is too much now, for a door whose refusals are answers.
#[derive(Clone, Debug)]
pub(super) struct TooMuch(pub(super) CallError);

/// Who may ask what, by a policy of the server's own.
pub trait Authorizer: Send + Sync {
    /// Whether this is allowed. Total: what goes wrong is no.
    fn allows(&self, asked: &Asked<'_>) -> bool;
}

/// What somebody wants to do: all that the policy on who may ask sees.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// At which door.
    pub door: DoorName,
    /// What for.
    pub action: Action,
    /// The question, where there is one.
    pub question: Option<Question<'a>>,
}

/// A question, before it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is asked.
    pub entry_point: &'a EntryPoint,
    /// Whether for an explanation, too.
    pub explain: bool,
    /// Whether of a revision of the past.
    pub at_revision: bool,
}

/// A call that is answered: by whom, where, and whether something of it was refused.
#[derive(Debug)]
pub(super) struct Asking {
    caller: Option<Arc<Caller>>,
    route: Route,
    /// Whether it may be answered: a call whose message is not there has no place.
    placed: AtomicBool,
    /// Where it stands, if it needs a place.
    stand: Option<Stand>,
    /// How large its question is, in bytes: as it came, or decompressed.
    size: AtomicUsize,
    /// Why it has no place any longer.
    lost: OnceLock<Shed>,
    /// Whether a question of it was decided.
    decided: AtomicBool,
    refused: AtomicBool,
    /// When its head had come.
    arrived: Instant,
}

/// Whether the call that this task answers may be answered: without a place it may not. What is no call's may.
pub(super) fn is_placed() -> bool {
    ASKING.try_with(|asking| asking.placed.load(Relaxed)).unwrap_or(true)
}

/// What the gate let pass was not decided after all, in the call that this task answers.
pub(super) fn undecided() {
    let _ = ASKING.try_with(|asking| asking.decided.store(false, Relaxed));
}

/// What the call waits for from here on, in the task that answers it, says nothing of how long answers take.
pub fn waits() {
    let _ = ASKING.try_with(|asking| {
        let decided = asking.decided.load(Relaxed);
        asking.stand.as_ref().into_iter().for_each(|stand| stand.pause(decided));
    });
}

/// Takes one question more from the rate of its caller, of the call that this task answers.
pub(super) fn rate() -> Result<(), CallError> {
    let Ok(asking) = ASKING.try_with(Arc::clone) else { return Ok(()) };
    match (&asking.caller, &asking.stand) {
        (Some(caller), Some(stand)) => stand.rate(&caller.id).map_err(CallError::from),
        (None, _) | (_, None) => Ok(()),
    }
}

/// Takes along who asks, to other tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried(Option<Arc<Asking>>);

impl Caller {
    /// A caller of that name, proven so, with what else is known.
    #[must_use]
    pub fn new(id: String, method: &'static str, known: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        let own = [("id", Value::from(id.as_str())), ("method", Value::from(method))];
        let known = own.into_iter().chain(known).map(|(name, value)| (name.to_owned(), value)).collect();
        Self { id, known }
    }

    /// Who asks, of the call that this task answers.
    #[must_use]
    pub fn current() -> Option<Arc<Self>> {
        ASKING.try_with(|asking| asking.caller.clone()).ok().flatten()
    }
}

impl Asked<'_> {
    /// As the policy sees it. What remembers answers must tell apart whatever is in here.
    #[must_use]
    pub fn input(&self) -> Value {
        let Self { caller, door, action, question } = *self;
        let own = [
            ("caller", Value::Object(caller.known.clone())),
            ("door", Value::from(door.0)),
            ("action", Value::from(action.name())),
        ];
        let question = question.map(|Question { entry_point, explain, at_revision }| {
            [
                ("entry_point", Value::from(entry_point.as_str())),
                ("explain", Value::from(explain)),
                ("at_revision", Value::from(at_revision)),
            ]
        });
        let all = own.into_iter().chain(question.into_iter().flatten());
        Value::Object(all.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl Asking {
    /// When the call came that this task answers; now where it answers none.
    pub(super) fn arrived() -> Instant {
        ASKING.try_with(|asking| asking.arrived).unwrap_or_else(|_| Instant::now())
    }

    /// It was answered: its time tells how long that takes, if something was decided.
    fn leave(&self) {
        if let Some(answering) = self.stand.as_ref().and_then(Stand::leave) {
            if self.decided.load(Relaxed) { answering.end() } else { drop(answering) }
        }
    }

    /// A question of it is decided.
    fn decide(&self) {
        self.decided.store(true, Relaxed);
    }

    fn refuse(&self) {
        self.refused.store(true, Relaxed);
    }

    fn was_refused(&self) -> bool {
        self.refused.load(Relaxed)
    }
}

impl Carried {
    /// Of the call that this task answers.
    pub(super) fn here() -> Self {
        Self(ASKING.try_with(Arc::clone).ok())
    }

    /// Has `work` belong to a call of its own, which came with that one and is from the same caller: a question of `size` bytes
    /// that is to be answered within `patience`, in a place of its own.
    pub(super) async fn question<F: Future>(
        &self,
        patience: Duration,
        size: usize,
        work: F,
    ) -> Result<F::Output, CallError> {
        let Some((of, stand)) = self.0.as_ref().and_then(|of| Some((of, of.stand.as_ref()?))) else {
            return Ok(self.scope(work).await);
        };
        let asking = Arc::new(Asking {
            caller: of.caller.clone(),
            route: of.route,
            placed: true.into(),
            stand: Some(stand.another(patience).await?),
            size: size.into(),
            lost: OnceLock::new(),
            decided: false.into(),
            refused: false.into(),
            arrived: Instant::now(),
        });
        let output = ASKING.scope(Arc::clone(&asking), work).await;
        asking.leave();
        asking.lost.get().map_or(Ok(output), |why| Err((*why).into()))
    }

    /// Has `work`, which is what is left of that call's answer, be done in a place, once there is one within `patience`.
    pub(super) async fn rest<F: Future>(&self, patience: Duration, work: F) -> Result<F::Output, CallError> {
        let placed = match self.0.as_ref().and_then(|of| of.stand.as_ref()) {
            Some(stand) => Some(stand.another(patience).await?),
            None => None,
        };
        let output = self.scope(work).await;
        // A part of an answer says nothing of how long answers take.
        placed.as_ref().and_then(Stand::leave).into_iter().for_each(Answering::forget);
        Ok(output)
    }

    /// Has what is said at once belong to that call.
    pub(super) fn say<T>(&self, say: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(asking) => ASKING.sync_scope(Arc::clone(asking), say),
            None => say(),
        }
    }

    /// Has `work` belong to that call.
    pub(super) fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        let asking = self.0.clone();
        async move {
            match asking {
                Some(asking) => ASKING.scope(asking, work).await,
                None => work.await,
            }
        }
    }
}
