//! A call's credentials to its caller: a key or a token of the header, else the certificate or the user of the connection.

use std::{sync::Arc, time::Duration};

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
        let certificate = extensions.get::<Arc<Certificate>>();
        if !self.required {
            return Ok(certificate.and_then(|certificate| by_certificate(certificate)));
        }
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        match (shown.next(), shown.next()) {
            // What is shown must be good, whatever else proves the caller.
            (Some(header), None) => {
                let bearer = header.to_str().ok().and_then(bearer).ok_or(Unknown)?;
                self.by_bearer(bearer, certificate).await.map(Some)
            }
            (Some(_), Some(_)) => Err(Unknown),
            (None, _) => match (certificate, extensions.get::<UnixUser>()) {
                (Some(certificate), _) => by_certificate(certificate).map(Some).ok_or(Unknown),
                (None, Some(UnixUser(uid))) => {
                    Ok(Some(Arc::new(Caller::new(format!("unix:{uid}"), "unix", [("uid", i64::from(*uid).into())]))))
                }
                (None, None) => Err(Unknown),
            },
        }
    }

    async fn by_bearer(&self, shown: &str, certificate: Option<&Arc<Certificate>>) -> Result<Arc<Caller>, Unknown> {
        if shown.starts_with(PREFIX) {
            let keys = self.keys.load();
            let name = keys.whose(shown).ok_or(Unknown)?;
            return Ok(Arc::new(Caller::new(format!("key:{name}"), "key", [])));
        }
        if self.token_audience.is_empty() {
            return Err(Unknown);
        }
        let proof = Proof { x5t_s256: certificate.map(|certificate| certificate.x5t_s256.clone()), ..Proof::default() };
        let credential = Credential { token: Secret::from(shown.to_owned()), proof };
        let proven = match self.credentials.verify(credential) {
            Checked::Now(proven) => proven,
            Checked::Later(later, late) => tokio::time::timeout(self.patience, later).await.unwrap_or(Err(late)),
        };
        let claims = proven.map_err(|_| Unknown)?.claims;
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
            return Err(Unknown);
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
