//! What a token claims of its time and its audience (RFC 7519 §4.1).

use std::time::{Duration, SystemTime};

use super::{Identity, Invalid, Issuer};
use crate::decision::{Number, Object, Value};

/// The latest time that is believed, in seconds since 1970: the end of the year 9999.
const LATEST: f64 = 253_402_300_799.0;

/// When a token is good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// `None` where an issuer that was asked says no time.
    pub(super) expires: Option<SystemTime>,
    from: Option<SystemTime>,
    issued: Option<SystemTime>,
}

impl Times {
    pub(super) fn of(claims: &Object, issuer: &Issuer) -> Result<Self, Invalid> {
        let expires = time(claims, "exp")?;
        if expires.is_none() && !matches!(issuer.identity, Identity::Opaque { .. }) {
            return Err(Invalid::ClaimMissing);
        }
        let (from, issued) = (time(claims, "nbf")?, time(claims, "iat")?);
        let is_old = issuer.max_age.is_some() || issuer.max_lifetime.is_some() && expires.is_some();
        if is_old && issued.is_none() {
            return Err(Invalid::ClaimMissing);
        }
        if let (Some(longest), Some(issued), Some(expires)) = (issuer.max_lifetime, issued, expires)
            && expires.duration_since(issued).unwrap_or_default() > longest
        {
            return Err(Invalid::LifetimeExceeded);
        }
        Ok(Self { expires, from, issued })
    }

    /// Whether it is good now; asked on every decision.
    pub(super) fn check(&self, issuer: &Issuer, now: SystemTime) -> Result<(), Invalid> {
        let (earliest, latest) = (later(now, issuer.leeway), now.checked_sub(issuer.leeway).unwrap_or(now));
        if self.expires.is_some_and(|expires| expires <= latest) {
            return Err(Invalid::Expired);
        }
        if self.from.into_iter().chain(self.issued).any(|time| time > earliest) {
            return Err(Invalid::NotYetValid);
        }
        if let (Some(oldest), Some(issued)) = (issuer.max_age, self.issued)
            && later(issued, oldest) < latest
        {
            return Err(Invalid::TooOld);
        }
        Ok(())
    }

    /// How long it is good from now on: nobody else knows of our leeway. `None` where nothing ends it.
    pub(super) fn left(&self, issuer: &Issuer, now: SystemTime) -> Option<Duration> {
        let aged = issuer.max_age.zip(self.issued).map(|(oldest, issued)| later(issued, oldest));
        let ends = self.expires.into_iter().chain(aged).min()?;
        Some(ends.duration_since(now).unwrap_or_default())
    }
}

/// Whether the token is for us, and has what it must have.
pub(super) fn check(claims: &Object, issuer: &Issuer) -> Result<(), Invalid> {
    let any = issuer.audience.is_empty() && matches!(issuer.identity, Identity::Opaque { .. });
    let ours = |value: &Value| matches!(value, Value::String(one) if any || issuer.audience.contains(one));
    let is_ours = match claims.get("aud") {
        Some(Value::Array(all)) => {
            if !all.iter().all(|one| matches!(one, Value::String(_))) {
                return Err(Invalid::Malformed("its `aud` is neither a text nor an array of texts"));
            }
            all.iter().any(ours)
        }
        Some(one @ Value::String(_)) => ours(one),
        Some(_) => return Err(Invalid::Malformed("its `aud` is neither a text nor an array of texts")),
        // Whoever asks an issuer about a token has the answer meant for itself.
        None => any,
    };
    if !is_ours {
        return Err(Invalid::AudienceMismatch);
    }
    let missing = |name: &String| claims.get(name).is_none_or(|value| *value == Value::Null);
    if issuer.required_claims.iter().any(missing) {
        return Err(Invalid::ClaimMissing);
    }
    Ok(())
}

/// `scope` as a list: a text is names with spaces between them (RFC 8693 §4.2).
pub(super) fn scopes(claims: &mut Object) -> Result<(), Invalid> {
    match claims.get("scope") {
        Some(Value::String(names)) => {
            let names = names.split(' ').filter(|name| !name.is_empty()).map(Value::from).collect();
            claims.insert("scope".to_owned(), Value::Array(names));
            Ok(())
        }
        Some(Value::Array(names)) if names.iter().all(|name| matches!(name, Value::String(_))) => Ok(()),
        None => Ok(()),
        Some(_) => Err(Invalid::Malformed("its `scope` is neither a text nor an array of texts")),
    }
}

fn time(claims: &Object, name: &str) -> Result<Option<SystemTime>, Invalid> {
    let seconds = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number @ (Number::Int(_) | Number::UInt(_) | Number::Float(_)))) => number.to_f64(),
        Some(_) => f64::NAN,
    };
    if !(0.0..=LATEST).contains(&seconds) {
        return Err(Invalid::Malformed("a time in it is no number of seconds from 1970 to 9999"));
    }
    Ok(Some(later(SystemTime::UNIX_EPOCH, Duration::from_secs_f64(seconds))))
}

fn later(time: SystemTime, by: Duration) -> SystemTime {
    time.checked_add(by).unwrap_or(time)
}
