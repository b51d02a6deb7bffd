//! `.signatures.json` and the token in it (RFC 7515 §7.1, RFC 7519 §4.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value as Json};

use super::{InvalidSignature, SigningError, SigningKey};

/// What one file is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedFile {
    /// Its path, as the token has it.
    pub name: String,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
    /// The algorithm of the hash: `SHA-256`.
    pub algorithm: String,
}

/// What a token says, whether or not its signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// How it says that it is signed.
    pub algorithm: String,
    /// By which key.
    pub key_id: Option<String>,
    /// For what.
    pub scope: String,
    /// When it was made, in seconds since 1970.
    pub issued: Option<u64>,
    /// When its validity begins.
    pub not_before: Option<u64>,
    /// When its validity ends.
    pub expires: Option<u64>,
    /// Every file that it covers.
    pub files: Vec<SignedFile>,
}

/// A token, taken apart.
pub(super) struct Token<'a> {
    pub(super) claimed: Claimed,
    /// What is signed.
    pub(super) message: &'a str,
    pub(super) signature: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Signatures {
    signatures: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    plugin: String,
}

/// Members that name keys, or change how a token is read, are listed so that they are seen.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    jwk: Option<IgnoredAny>,
    jku: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
    zip: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    files: Vec<SignedFile>,
    keyid: Option<String>,
    scope: Option<String>,
    iat: Option<serde_json::Number>,
    nbf: Option<serde_json::Number>,
    exp: Option<serde_json::Number>,
}

/// The one token of `.signatures.json`.
pub(super) fn only(file: &[u8]) -> Result<String, InvalidSignature> {
    let malformed = |error: serde_json::Error| InvalidSignature::File { cause: error.to_string() };
    let text = std::str::from_utf8(file).map_err(|error| InvalidSignature::File { cause: error.to_string() })?;
    let Signatures { mut signatures, plugin } = serde_json::from_str(text).map_err(malformed)?;
    if !plugin.is_empty() && plugin != "_default" {
        return Err(InvalidSignature::Plugin { plugin });
    }
    match (signatures.pop(), signatures.len()) {
        (Some(token), 0) => Ok(token),
        (token, before) => Err(InvalidSignature::Count { count: before + usize::from(token.is_some()) }),
    }
}

impl<'a> Token<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, InvalidSignature> {
        let malformed = |cause: &str| InvalidSignature::Token { cause: cause.to_owned() };
        let (message, signature) = text.rsplit_once('.').ok_or_else(|| malformed("it has no three parts"))?;
        let (header, payload) = message
            .split_once('.')
            .filter(|(_, payload)| !payload.contains('.'))
            .ok_or_else(|| malformed("it has no three parts"))?;
        let decode = |part: &str| BASE64URL.decode(part).map_err(|_| malformed("a part is not base64url"));
        // What serde passes over it does not look at (RFC 7515 §2: UTF-8).
        let text = |part: &str| String::from_utf8(decode(part)?).map_err(|_| malformed("a part is not UTF-8"));
        let header: Header = serde_json::from_str(&text(header)?)
            .map_err(|error| InvalidSignature::Token { cause: format!("its header: {error}") })?;
        let Header { alg, kid, jwk, jku, x5u, x5c, crit, b64, zip } = header;
        for (name, member) in
            [("jwk", jwk), ("jku", jku), ("x5u", x5u), ("x5c", x5c), ("crit", crit), ("b64", b64), ("zip", zip)]
        {
            if member.is_some() {
                return Err(InvalidSignature::Header { name });
            }
        }
        let payload: Payload = serde_json::from_str(&text(payload)?)
            .map_err(|error| InvalidSignature::Token { cause: format!("its payload: {error}") })?;
        let Payload { files, keyid, scope, iat, nbf, exp } = payload;
        let stated = |id: Option<String>| id.filter(|id| !id.is_empty());
        let claimed = Claimed {
            algorithm: alg,
            key_id: stated(kid).or_else(|| stated(keyid)),
            scope: scope.unwrap_or_default(),
            issued: seconds("iat", iat)?,
            not_before: seconds("nbf", nbf)?,
            expires: seconds("exp", exp)?,
            files,
        };
        Ok(Self { claimed, message, signature: decode(signature)? })
    }
}

/// A time (RFC 7519 §2, `NumericDate`) in whole seconds: a fraction is dropped, what is before 1970 is 0.
fn seconds(name: &str, number: Option<serde_json::Number>) -> Result<Option<u64>, InvalidSignature> {
    let Some(number) = number else { return Ok(None) };
    if let Some(seconds) = number.as_u64() {
        return Ok(Some(seconds));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is what is wanted")]
    match number.as_f64() {
        Some(seconds) if seconds.is_finite() => Ok(Some(seconds as u64)),
        _ => Err(InvalidSignature::Token { cause: format!("its `{name}` is no time") }),
    }
}

/// A `.signatures.json` with one token over `files`.
pub(super) fn write(
    key: &SigningKey,
    key_id: Option<&str>,
    mut claims: Map<String, Json>,
    files: &[SignedFile],
) -> Result<Vec<u8>, SigningError> {
    let mut header = Map::from_iter([("alg".to_owned(), Json::from(key.algorithm().name()))]);
    header.insert("typ".to_owned(), Json::from("JWT"));
    if let Some(id) = key_id {
        header.insert("kid".to_owned(), Json::from(id));
    }
    let file = |file: &SignedFile| {
        let SignedFile { name, hash, algorithm } = file;
        serde_json::json!({"name": name, "hash": hash, "algorithm": algorithm})
    };
    claims.insert("files".to_owned(), files.iter().map(file).collect());
    let part = |members: Map<String, Json>| BASE64URL.encode(Json::Object(members).to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(message.as_bytes()).map_err(|_| SigningError::Key)?;
    let token = format!("{message}.{}", BASE64URL.encode(signature));
    let mut file = format!("{:#}", serde_json::json!({"signatures": [token]})).into_bytes();
    file.push(b'\n');
    Ok(file)
}
