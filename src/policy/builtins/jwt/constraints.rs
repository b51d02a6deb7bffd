//! `io.jwt.decode_verify`: a token's content, if it meets what the policy demands.

use regorus::Value as Rego;

use super::{
    super::{
        Failure,
        crypto::{
            json,
            operand::{bad, document, member, object},
        },
        evaluation,
    },
    algorithm,
    jwk::{self, Jwk, Key},
    token::{Header, Token},
    verify,
};

/// What the policy demands of a token.
struct Constraints {
    keys: Vec<Jwk>,
    algorithm: String,
    issuer: String,
    audience: String,
    /// Seconds since 1970.
    time: f64,
}

/// `[true, header, payload]`, or `[false, {}, {}]` where the token does not meet the constraints.
pub(super) fn decode_verify(arguments: &[Rego]) -> Result<Rego, Failure> {
    let constraints = Constraints::new(object(arguments, 1)?)?;
    let answer = match constraints.verified(document(arguments, 0)?)? {
        Some((header, payload)) => vec![Rego::from(true), header, payload],
        None => vec![Rego::from(false), Rego::new_object(), Rego::new_object()],
    };
    Ok(Rego::from(answer))
}

impl Constraints {
    fn new(object: &regorus::value::Object) -> Result<Self, Failure> {
        const KNOWN: [&str; 6] = ["alg", "aud", "cert", "iss", "secret", "time"];
        if object.keys().any(|key| !matches!(key, Rego::String(name) if KNOWN.contains(&&**name))) {
            return Err(bad("unknown token validation constraint"));
        }
        let string = |name: &str| match member(object, name) {
            None => Ok(""),
            Some(Rego::String(text)) => Ok(&**text),
            Some(_) => Err(bad(format!("{name} constraint: must be a string"))),
        };
        let secret = string("secret")?;
        let certificate = member(object, "cert").map(|_| document(&[string("cert")?.into()], 0).map(str::to_owned));
        let keys = match (certificate.transpose()?, secret) {
            (Some(_), secret) if !secret.is_empty() => return Err(bad("duplicate key constraints")),
            (Some(certificate), _) => jwk::for_verification(&certificate)?,
            (None, "") => return Err(bad("no key constraint")),
            (None, secret) => {
                let key = Key::Secret(secret.as_bytes().to_vec());
                vec![Jwk { algorithm: String::new(), id: String::new(), key }]
            }
        };
        let time = match member(object, "time") {
            None => now(),
            // As text, because regorus makes no double of an integer that is not exactly one.
            Some(time @ Rego::Number(_)) => time
                .to_string()
                .parse()
                .ok()
                .filter(|time: &f64| time.is_finite() && *time >= 0.0)
                .ok_or_else(|| bad("token time constraint: must be a number that is not negative"))?,
            Some(_) => return Err(bad("token time constraint: must be a number")),
        };
        Ok(Self {
            keys,
            algorithm: string("alg")?.to_owned(),
            issuer: string("iss")?.to_owned(),
            audience: string("aud")?.to_owned(),
            time: time / 1e9,
        })
    }

    /// The header and the payload; `None` where the signature or a constraint fails.
    fn verified(&self, text: &str) -> Result<Option<(Rego, Rego)>, Failure> {
        let mut text = text.to_owned();
        loop {
            let token = Token::split(&text)?;
            let object = token.header()?;
            let header = Header::new(&object)?;
            let other = !self.algorithm.is_empty() && self.algorithm != header.algorithm;
            if header.algorithm.is_empty() || header.critical_unknown || other {
                return Ok(None);
            }
            let signature = token.signature()?;
            // RFC 9864 calls EdDSA on this curve by the curve's name.
            let name = if header.algorithm == "Ed25519" { "EdDSA" } else { &header.algorithm };
            let Some(algorithm) = algorithm::find(name) else { return Ok(None) };
            let message = token.signed();
            if !verify::any(&self.keys, &header, |key| algorithm.verifies(key, &message, &signature)) {
                return Ok(None);
            }
            let payload = token.payload()?;
            if header.content_type.eq_ignore_ascii_case("JWT") {
                // A token in a token. Each is shorter than the one around it, so that this ends.
                text = String::from_utf8(payload).map_err(|_| bad("JWT payload had invalid encoding"))?;
                continue;
            }
            let payload = json::object(&payload)?;
            return Ok(self.admits(&payload)?.then_some((object, payload)));
        }
    }

    /// Whether the registered claims (RFC 7519 §4.1) are as demanded.
    fn admits(&self, payload: &Rego) -> Result<bool, Failure> {
        let claims = payload.as_object().map_err(|_| bad("decoded JSON type was not an Object"))?;
        if !self.issuer.is_empty() && member(claims, "iss") != Some(&Rego::from(self.issuer.as_str())) {
            return Ok(false);
        }
        let wanted = Rego::from(self.audience.as_str());
        let audience = match member(claims, "aud") {
            None => self.audience.is_empty(),
            Some(Rego::Array(audiences)) => audiences.iter().any(|audience| *audience == wanted),
            Some(audience) => *audience == wanted,
        };
        if !audience {
            return Ok(false);
        }
        let now = Rego::from(self.time);
        match member(claims, "exp") {
            Some(expires @ Rego::Number(_)) if now >= *expires => return Ok(false),
            None | Some(Rego::Number(_)) => {}
            Some(_) => return Err(bad("exp value must be a number")),
        }
        match member(claims, "nbf") {
            None => Ok(true),
            Some(begins @ Rego::Number(_)) => Ok(now >= *begins),
            Some(_) => Err(bad("nbf value must be a number")),
        }
    }
}

/// The time of the evaluation in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "OPA compares doubles")]
fn now() -> f64 {
    evaluation::now_ns() as f64
}
