//! Takes tokens: whose it is, whether it may, what it says, and then the registry.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    config::{Config, KeysAt, Transmitter},
    event::Changes,
    fault::{Error, Fault},
    keys::{Keys, Refresh},
    token::Token,
};
use crate::{
    decision::{Number, Object, Value},
    identity::{Invalid, KeySet, Signed},
    revocation::{Kind, Registry, Revocation, Seen, Target},
};

/// The type of a token (RFC 8417 §2.3).
const TYPE: &str = "secevent+jwt";

/// Takes Security Event Tokens. A handle: clones are the same receiver.
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

struct Inner {
    registry: Registry,
    window: u64,
    transmitters: Vec<Known>,
    /// Of tokens whose transmitter is not known.
    unknown: Counts,
}

/// A transmitter, and what it needs.
struct Known {
    name: String,
    config: Transmitter,
    keys: Keys,
    /// The SHA-256 of what it pushes with.
    credential: Option<[u8; 32]>,
    counts: Counts,
}

/// What became of a token that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It changed something.
    Accepted,
    /// It came before, and changed nothing.
    Replayed,
    /// It has no event that means anything here.
    Ignored,
    /// It was a verification event.
    Verified,
}

/// How tokens fared: by transmitter and result. One that is not known has an empty name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Counts.
    pub tokens: BTreeMap<(String, &'static str), u64>,
    /// When a token of a transmitter was last taken, in seconds since 1970.
    pub last: BTreeMap<String, u64>,
    /// How long ago a transmitter was last heard of: its answer to a poll, or a token of it that was taken; `None` for never.
    pub heard: BTreeMap<String, Option<Duration>>,
}

/// Why the receiver can't be.
#[derive(Debug, thiserror::Error)]
#[error("{name}.{what}")]
pub struct OpenError {
    name: String,
    what: String,
}

impl OpenError {
    pub(super) fn new(name: &str, what: String) -> Self {
        Self { name: name.to_owned(), what }
    }
}

#[derive(Default)]
struct Counts {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    refused: [AtomicU64; Error::ALL.len()],
    not_now: AtomicU64,
    last: AtomicU64,
    /// When the transmitter was last heard of: an answer to a poll, or a token that was taken.
    heard: Mutex<Option<Instant>>,
}

impl Receiver {
    /// Reads the keys and the tokens of the transmitters.
    pub fn open(config: &Config, registry: Registry) -> Result<Self, OpenError> {
        let window = config.replay_window.as_secs();
        let mut transmitters = Vec::new();
        for (name, config) in &config.transmitters {
            let fault = |what: String| OpenError { name: name.clone(), what };
            let keys = Keys::open(&config.keys).map_err(|why| fault(format!("jwks_file: {why}")))?;
            let credential = match &config.push_token_file {
                None => None,
                Some(path) => Some(credential(path).map_err(|why| fault(format!("push_token_file: {why}")))?),
            };
            let (name, config, counts) = (name.clone(), config.clone(), Counts::default());
            transmitters.push(Known { name, config, keys, credential, counts });
        }
        Ok(Self(Arc::new(Inner { registry, window, transmitters, unknown: Counts::default() })))
    }

    /// Takes a token that was pushed (RFC 8935 §2), with the value of the header `Authorization`. From the return on, what
    /// it says is in force and durable.
    pub async fn push(&self, text: &str, authorization: Option<&str>) -> Result<Outcome, Fault> {
        let known = self.whose(text).inspect_err(|fault| self.0.unknown.refuse(fault))?;
        let admitted = known.admit(authorization);
        let work = async {
            admitted?;
            self.take(known, known.read(text).await?).await
        };
        self.finish(known, work).await
    }

    /// The transmitters whose keys are at a URL, and that URL, with the authorities of its server.
    pub fn remote_keys(&self) -> impl Iterator<Item = (&str, &Url, Option<&PathBuf>)> {
        self.0.transmitters.iter().filter_map(|known| match &known.config.keys {
            KeysAt::File(_) => None,
            KeysAt::Url { url, ca_file } => Some((known.name.as_str(), url, ca_file.as_ref())),
        })
    }

    /// Has newer keys of that transmitter be asked for by `refresh`, where a token needs one that is not there.
    pub fn refresh_keys(&self, transmitter: &str, refresh: Box<Refresh>) {
        if let Some(known) = self.0.transmitters.iter().find(|known| known.name == transmitter) {
            known.keys.refresh_by(refresh);
        }
    }

    /// Gives that transmitter these keys in place of those that it had; `None` takes them away.
    pub fn publish_keys(&self, transmitter: &str, keys: Option<KeySet>) {
        if let Some(known) = self.0.transmitters.iter().find(|known| known.name == transmitter) {
            known.keys.publish(keys);
        }
    }

    /// Takes a token that was fetched from that transmitter.
    pub(super) async fn polled(&self, name: &str, text: &str) -> Result<Outcome, Fault> {
        let known = self.whose(text).inspect_err(|fault| self.0.unknown.refuse(fault))?;
        let own = if known.name == name {
            Ok(())
        } else {
            Err(Fault::Refused(Error::InvalidIssuer, "it is another transmitter's".to_owned()))
        };
        let work = async {
            own?;
            self.take(known, known.read(text).await?).await
        };
        self.finish(known, work).await
    }

    /// How tokens fared.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        for known in &self.0.transmitters {
            known.counts.show(&known.name, &mut figures);
            figures.last.insert(known.name.clone(), known.counts.last.load(Relaxed));
            figures.heard.insert(known.name.clone(), known.counts.heard().map(|heard| heard.elapsed()));
        }
        self.0.unknown.show("", &mut figures);
        figures
    }

    /// The transmitter has answered a poll.
    pub(super) fn answered(&self, name: &str) {
        if let Some(known) = self.0.transmitters.iter().find(|known| known.name == name) {
            known.counts.hear();
        }
    }

    /// The transmitters that are to be polled, by their names.
    pub(super) fn polled_ones(&self) -> impl Iterator<Item = (&str, &super::config::Poll)> {
        self.0.transmitters.iter().filter_map(|known| Some((known.name.as_str(), known.config.poll.as_ref()?)))
    }

    fn whose(&self, text: &str) -> Result<&Known, Fault> {
        let signed = Signed::read(text)?;
        let known = self.0.transmitters.iter().find(|known| signed.issuer() == Some(known.config.issuer.as_str()));
        known.ok_or_else(|| {
            Fault::Refused(Error::InvalidIssuer, "its `iss` is no transmitter's that is configured".to_owned())
        })
    }

    async fn take(&self, known: &Known, claims: Object) -> Result<Outcome, Fault> {
        let registry = &self.0.registry;
        let now = registry.now();
        let token = Token::of(claims, &known.config, now, self.0.window)?;
        let Changes { mut change, known: events, verified } = Changes::of(&known.name, &known.config, &token, now)?;
        // Events may come in another order than they happened.
        change.add.retain(|new| !self.was_enabled_since(new));
        let (revoked, signalled) = (change.add.len(), change.signals.len());
        change.seen = Some(Seen {
            transmitter: known.name.clone(),
            jti: token.id.clone(),
            until: token.issued.saturating_add(self.0.window),
        });
        let done = registry.change(change).await?;
        if done.replayed {
            return Ok(Outcome::Replayed);
        }
        known.counts.last.store(now, Relaxed);
        if let Some(state) = verified {
            let state: String = state.chars().take(256).flat_map(char::escape_debug).collect();
            tracing::info!(transmitter = known.name, state, "the transmitter's stream is verified");
            return Ok(Outcome::Verified);
        }
        if events == 0 {
            let types: Vec<String> = token
                .events
                .iter()
                .map(|(kind, _)| kind.chars().take(128).flat_map(char::escape_debug).collect())
                .collect();
            tracing::debug!(transmitter = known.name, ?types, "a token has no event that means anything here");
            return Ok(Outcome::Ignored);
        }
        let ended = done.removed.len();
        tracing::info!(transmitter = known.name, revoked, ended, signalled, "a security event");
        Ok(Outcome::Accepted)
    }

    /// Whether an account is disabled by an event from before it was enabled.
    fn was_enabled_since(&self, new: &Revocation) -> bool {
        if new.event != "account-disabled" {
            return false;
        }
        let kind = if new.target.kind == Kind::Actor { Kind::Subject } else { new.target.kind };
        let said = self.0.registry.said(&Target { kind, ..new.target.clone() }).unwrap_or_default();
        let Some(Value::Object(account)) = said.get("account") else { return false };
        let at = i64::try_from(new.at).unwrap_or(i64::MAX);
        // As what one transmitter disables, no other enables.
        account.get("status") == Some(&Value::from("enabled"))
            && account.get("source") == Some(&Value::from(new.source.as_str()))
            && matches!(account.get("at"), Some(Value::Number(Number::Int(since))) if *since > at)
    }

    async fn finish(
        &self,
        known: &Known,
        work: impl Future<Output = Result<Outcome, Fault>>,
    ) -> Result<Outcome, Fault> {
        let result = work.await;
        match &result {
            Ok(outcome) => known.counts.count(*outcome),
            Err(fault) => {
                known.counts.refuse(fault);
                tracing::warn!(transmitter = known.name, "a security event token is refused: {fault}");
            }
        }
        result
    }
}

impl Known {
    /// Whether who pushes is the transmitter. Compared by hashes, so that the time it takes tells nothing.
    fn admit(&self, authorization: Option<&str>) -> Result<(), Fault> {
        if self.config.poll.is_some() {
            return Err(Fault::denied("this transmitter's tokens are polled, and not taken otherwise"));
        }
        let Some(expected) = &self.credential else { return Ok(()) };
        let presented = authorization.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let is_it = presented.is_some_and(|token| {
            aws_lc_rs::constant_time::verify_slices_are_equal(&Sha256::digest(token.as_bytes()), expected).is_ok()
        });
        if is_it {
            return Ok(());
        }
        let why = "the header `Authorization` has not the bearer token that is configured for its issuer";
        Err(Fault::Refused(Error::AuthenticationFailed, why.to_owned()))
    }

    async fn read(&self, text: &str) -> Result<Object, Fault> {
        let once = || -> Result<Object, Invalid> {
            let signed = Signed::read(text)?;
            if signed.kind() != Some(TYPE) {
                return Err(Invalid::TypeRefused);
            }
            signed.verify(&self.config.algorithms, &*self.keys.now().ok_or(Invalid::KeysUnavailable)?)
        };
        match once() {
            Err(Invalid::KeyUnknown | Invalid::SignatureInvalid | Invalid::KeysUnavailable)
                if self.keys.again().await =>
            {
                Ok(once()?)
            }
            Err(Invalid::TypeRefused) => Err(Fault::request(format!("its `typ` is not `{TYPE}`"))),
            read => Ok(read?),
        }
    }
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Accepted, Self::Replayed, Self::Ignored, Self::Verified];

    /// Its name, in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Replayed => "replayed",
            Self::Ignored => "ignored",
            Self::Verified => "verified",
        }
    }
}

impl Counts {
    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn heard(&self) -> Option<Instant> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, outcome: Outcome) {
        self.hear();
        if let Some(count) = self.outcomes.get(outcome as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    fn refuse(&self, fault: &Fault) {
        let count = match fault {
            Fault::Refused(error, _) => self.refused.get(*error as usize),
            Fault::NotNow(_) => Some(&self.not_now),
        };
        if let Some(count) = count {
            count.fetch_add(1, Relaxed);
        }
    }

    fn show(&self, name: &str, figures: &mut Figures) {
        let outcomes = Outcome::ALL.iter().map(|outcome| outcome.name()).zip(&self.outcomes);
        let errors = Error::ALL.iter().map(|error| error.name()).zip(&self.refused);
        for (result, count) in outcomes.chain(errors).chain([("not_now", &self.not_now)]) {
            figures.tokens.insert((name.to_owned(), result), count.load(Relaxed));
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.0.transmitters.iter().map(|known| &known.name)).finish()
    }
}

fn credential(path: &PathBuf) -> Result<[u8; 32], String> {
    let named = |problem: &str| format!("`{}` {problem}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&format!("cannot be read: {error}")))?;
    match text.trim() {
        "" => Err(named("is empty")),
        token => Ok(Sha256::digest(token.as_bytes()).into()),
    }
}
