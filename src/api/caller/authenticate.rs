//! A call's credentials to its caller: a key or a token of the header, else the certificate or the user of the connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::http::{Extensions, HeaderMap, header::AUTHORIZATION};

use super::{Caller, Keys, keys::PREFIX};
use crate::{
    api::{
        credentials::{Checked, Credential, Credentials},
        listen::certificate::{Certificate, UnixUser},
    },
    decision::Value,
    identity::{Proof, Secret},
};

/// How callers are told apart.
pub struct Authenticator {
    /// Whether callers must be known.
    pub required: bool,
    /// The keys that are good now.
    pub keys: Arc<ArcSwap<Keys>>,
    /// The audiences of which a token must have one.
    pub token_audience: Vec<String>,
    /// Who verifies tokens.
    pub credentials: Arc<dyn Credentials>,
    /// How long that may take.
    pub patience: Duration,
    /// How often callers were not known.
    pub failures: Failures,
}

/// How often callers were not known, by what they showed.
#[derive(Debug, Default)]
pub struct Failures([AtomicU64; Shown::ALL.len()]);

/// What somebody showed who is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// A header that is no bearer credential, or several.
    Malformed,
    Key,
    Token,
    /// One that stands for nobody.
    Certificate,
}

impl Shown {
    const ALL: [Self; 5] = [Self::Nothing, Self::Malformed, Self::Key, Self::Token, Self::Certificate];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Malformed => "malformed",
            Self::Key => "key",
            Self::Token => "token",
            Self::Certificate => "certificate",
        }
    }
}

impl Failures {
    /// All of them, by what was shown.
    #[must_use]
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        Shown::ALL.iter().zip(&self.0).map(|(shown, count)| (shown.name(), count.load(Relaxed))).collect()
    }

    fn count(&self, shown: Shown) {
        if let Some((_, count)) = Shown::ALL.iter().zip(&self.0).find(|(known, _)| **known == shown) {
            count.fetch_add(1, Relaxed);
        }
    }
}

/// Nobody that is known. It does not say why: that would tell who guesses how near they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown;

impl Authenticator {
    /// Who asks. `None` where nobody needs to be known, and nobody is.
    pub(super) async fn who(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<Arc<Caller>>, Unknown> {
        self.known(headers, extensions).await.map_err(|shown| {
            self.failures.count(shown);
            Unknown
        })
    }

    async fn known(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<Option<Arc<Caller>>, Shown> {
        let certificate = extensions.get::<Arc<Certificate>>();
        if !self.required {
            return Ok(certificate.and_then(|certificate| by_certificate(certificate)));
        }
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        match (shown.next(), shown.next()) {
            // What is shown must be good, whatever else proves the caller.
            (Some(header), None) => {
                let bearer = header.to_str().ok().and_then(bearer).ok_or(Shown::Malformed)?;
                self.by_bearer(bearer, certificate).await.map(Some)
            }
            (Some(_), Some(_)) => Err(Shown::Malformed),
            (None, _) => match (certificate, extensions.get::<UnixUser>()) {
                (Some(certificate), _) => by_certificate(certificate).map(Some).ok_or(Shown::Certificate),
                (None, Some(UnixUser(uid))) => {
                    Ok(Some(Arc::new(Caller::new(format!("unix:{uid}"), "unix", [("uid", i64::from(*uid).into())]))))
                }
                (None, None) => Err(Shown::Nothing),
            },
        }
    }

    async fn by_bearer(&self, shown: &str, certificate: Option<&Arc<Certificate>>) -> Result<Arc<Caller>, Shown> {
        if shown.starts_with(PREFIX) {
            let keys = self.keys.load();
            let name = keys.whose(shown).ok_or(Shown::Key)?;
            return Ok(Arc::new(Caller::new(format!("key:{name}"), "key", [])));
        }
        if self.token_audience.is_empty() {
            return Err(Shown::Token);
        }
        let proof = Proof { x5t_s256: certificate.map(|certificate| certificate.x5t_s256.clone()), ..Proof::default() };
        let credential = Credential { token: Secret::from(shown.to_owned()), proof };
        let proven = match self.credentials.verify(credential) {
            Checked::Now(proven) => proven,
            Checked::Later(later, late) => tokio::time::timeout(self.patience, later).await.unwrap_or(Err(late)),
        };
        let claims = proven.map_err(|_| Shown::Token)?.claims;
        let is_ours = |value: &Value| matches!(value, Value::String(one) if self.token_audience.contains(one));
        let is_for_us = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        };
        // Whose name it is, only its issuer can say.
        let (Some(Value::String(issuer)), Some(Value::String(subject)), true) =
            (claims.get("iss"), claims.get("sub"), is_for_us)
        else {
            return Err(Shown::Token);
        };
        let id = format!("token:{issuer}#{subject}");
        Ok(Arc::new(Caller::new(id, "token", [("claims", Value::Object(claims))])))
    }
}

fn by_certificate(certificate: &Certificate) -> Option<Arc<Caller>> {
    let list = |names: &[String]| Value::Array(names.iter().map(|name| Value::from(name.as_str())).collect());
    let Certificate { spiffe_id, dns, uris, x5t_s256 } = certificate;
    let mut known = vec![("dns", list(dns)), ("uris", list(uris)), ("x5t#S256", Value::from(x5t_s256.as_str()))];
    known.extend(spiffe_id.iter().map(|id| ("spiffe_id", Value::from(id.as_str()))));
    Some(Arc::new(Caller::new(certificate.id()?, "mtls", known)))
}

/// The credential of a header (RFC 6750 §2.1); the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, credential) = header.split_once(' ')?;
    let credential = credential.trim_matches(' ');
    let is_one = !credential.is_empty() && credential.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && is_one).then_some(credential)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_bearer_credential_and_nothing_else() {
        assert_eq!(bearer("Bearer a.b"), Some("a.b"));
        assert_eq!(bearer("bEARER  a "), Some("a"));
        for wrong in ["", "Bearer", "Bearer ", "Basic YTpi", "a", "Bearer a b", "Bearer a\u{7f}", " Bearer a"] {
            assert_eq!(bearer(wrong), None, "{wrong}");
        }
    }
}
