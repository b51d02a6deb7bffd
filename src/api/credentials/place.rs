//! Where a door finds a question's credential, for doors whose protocols have no place for one.

use std::{fmt, str::FromStr};

use super::Credential;
use crate::{
    api::status::FieldViolation,
    decision::{Object, Value},
    identity::Proof,
};

/// The most names of a place.
const DEEPEST: usize = 8;

/// A member of a question that has the token, by its path; none where tokens are not looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialAt(Vec<String>);

/// Why a text is no such place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no place in a question")]
pub struct InvalidPlace;

impl CredentialAt {
    /// Takes the credential out of a question or an input, if it is there: nothing of it stays behind.
    pub(in crate::api) fn take(&self, from: &mut Object) -> Result<Option<Credential>, FieldViolation> {
        let Some((last, outer)) = self.0.split_last() else { return Ok(None) };
        let mut members = from;
        for name in outer {
            match members.get_mut(name) {
                Some(Value::Object(inner)) => members = inner,
                _ => return Ok(None),
            }
        }
        match members.remove(last) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let token = bearer(&text).map_or(text.as_str(), |token| token).to_owned();
                Ok(Some(Credential { token: token.into(), proof: Proof::default() }))
            }
            Some(_) => Err(FieldViolation::new(self.to_string(), "is not a string")),
        }
    }

    /// Whether tokens are looked for.
    pub(in crate::api) fn is_on(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The token of a text that names a scheme of tokens before it (RFC 6750 §2.1, RFC 9449 §7.1).
pub(in crate::api) fn bearer(text: &str) -> Option<&str> {
    // A space, says the standard; who takes a tab for one believes the token.
    let blank = [' ', '\t'];
    let (scheme, token) = text.split_once(blank)?;
    ["bearer", "dpop"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(token.trim_start_matches(blank))
}

impl FromStr for CredentialAt {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::default());
        }
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        let is_name = |name: &String| (1..=64).contains(&name.len()) && !name.contains(char::is_whitespace);
        if names.len() <= DEEPEST && names.iter().all(is_name) { Ok(Self(names)) } else { Err(InvalidPlace) }
    }
}

impl fmt::Display for CredentialAt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_on() { self.0.join(".") } else { "off".to_owned() }.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::json;

    #[test]
    fn a_token_is_taken_whole_and_leaves_nothing() {
        let at: CredentialAt = "context.token".parse().unwrap();
        assert_eq!((at.to_string().as_str(), at.is_on()), ("context.token", true));
        for text in ["canary", "Bearer canary", "dpop  canary", "BEARER\\tcanary"] {
            let question = format!(r#"{{"context": {{"token": "{text}", "ip": 1}}}}"#);
            let Ok(Value::Object(mut question)) = json::parse(question.as_bytes()) else { panic!() };
            assert_eq!(at.take(&mut question).unwrap().unwrap().token.expose(), "canary");
            assert_eq!(format!("{question:?}").matches("canary").count(), 0);
        }
        let Ok(Value::Object(mut question)) = json::parse(br#"{"context": {"token": 7}}"#) else { panic!() };
        assert!(at.take(&mut question).is_err());
        assert!(at.take(&mut question).unwrap().is_none());
        assert!("off".parse::<CredentialAt>().unwrap().take(&mut question).unwrap().is_none());
        for text in ["", ".", "a.", "a b", "a.b.c.d.e.f.g.h.i"] {
            assert!(text.parse::<CredentialAt>().is_err(), "{text}");
        }
    }
}
