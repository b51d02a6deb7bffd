//! A Security Event Token (RFC 8417 §2) as the Shared Signals Framework profiles it (§4).

use super::{
    config::Transmitter,
    fault::{Error, Fault},
};
use crate::decision::{Number, Object, Value};

/// How far a transmitter's clock may be before ours, in seconds.
const LEEWAY: u64 = 300;

/// The most events of one token.
const MOST_EVENTS: usize = 16;

/// The longest `jti`.
const LONGEST_ID: usize = 1_024;

/// A token that is a transmitter's, for us, and of a time that is believed.
#[derive(Debug)]
pub(super) struct Token {
    /// By which it is known to its transmitter.
    pub(super) id: String,
    /// When it was made, in seconds since 1970.
    pub(super) issued: u64,
    /// When its events happened (`toe`), where it says so.
    pub(super) happened: Option<u64>,
    /// Whom it is about (`sub_id`), where that is not said by the events.
    pub(super) subject: Option<Object>,
    /// By type.
    pub(super) events: Vec<(String, Object)>,
}

impl Token {
    /// Reads verified claims.
    pub(super) fn of(mut claims: Object, of: &Transmitter, now: u64, window: u64) -> Result<Self, Fault> {
        let ours = |value: &Value| matches!(value, Value::String(one) if of.audience.contains(one));
        let is_ours = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(ours),
            Some(one) => ours(one),
            None => false,
        };
        if !is_ours {
            let why = "its `aud` is none that this receiver has for its issuer".to_owned();
            return Err(Fault::Refused(Error::InvalidAudience, why));
        }
        // SSF 1.0 §4.1.4, §4.1.6: so that it can't pass for a credential.
        for name in ["sub", "exp"] {
            if claims.get(name).is_some() {
                return Err(Fault::request(format!(
                    "it has the claim `{name}`, which a security event token must not have"
                )));
            }
        }
        let id = match claims.remove("jti") {
            Some(Value::String(id)) if (1..=LONGEST_ID).contains(&id.len()) => id,
            _ => return Err(Fault::request("it has no `jti`, or one that is no text of 1 to 1,024 bytes")),
        };
        let issued = time(&claims, "iat")?.ok_or_else(|| Fault::request("it has no `iat`"))?;
        if issued > now + LEEWAY {
            return Err(Fault::request("its `iat` is in the future"));
        }
        if issued.saturating_add(window) <= now {
            return Err(Fault::request("it is older than tokens are remembered, so that it may have come before"));
        }
        let happened = time(&claims, "toe")?;
        let subject = match claims.remove("sub_id") {
            None => None,
            Some(Value::Object(subject)) => Some(subject),
            Some(_) => return Err(Fault::request("its `sub_id` is no object")),
        };
        let Some(Value::Object(events)) = claims.remove("events") else {
            return Err(Fault::request("it has no `events`, or such that are no object"));
        };
        if !(1..=MOST_EVENTS).contains(&events.len()) {
            return Err(Fault::request(format!("it has {} events; one has from 1 to {MOST_EVENTS}", events.len())));
        }
        let event = |(kind, payload)| match payload {
            Value::Object(payload) => Ok((kind, payload)),
            _ => Err(Fault::request("an event in it is no object")),
        };
        let events = events.into_iter().map(event).collect::<Result<_, _>>()?;
        Ok(Self { id, issued, happened, subject, events })
    }

    /// When an event happened, not after the token was made.
    pub(super) fn time_of(&self, payload: &Object) -> Result<u64, Fault> {
        let said = time(payload, "event_timestamp")?.or(self.happened).unwrap_or(self.issued);
        Ok(said.min(self.issued))
    }
}

/// A time in whole seconds since 1970 (RFC 7519 §2, `NumericDate`).
fn time(claims: &Object, name: &str) -> Result<Option<u64>, Fault> {
    let wrong = || Fault::request(format!("its `{name}` is no number of seconds since 1970"));
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(Number::Int(seconds))) => u64::try_from(*seconds).map(Some).map_err(|_| wrong()),
        Some(Value::Number(number)) => {
            let seconds = number.to_f64();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds, checked here")]
            (0.0..=253_402_300_799.0).contains(&seconds).then_some(seconds as u64).map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}
