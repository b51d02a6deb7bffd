//! What a policy answers about a token, read strictly: a member that is not understood might be the one that narrows, so
//! it makes the answer a deny.

use crate::decision::{Number, Object, Value, Verdict};

/// The most entries of `authorization_details` and the most claims that a policy gives.
const MAX_ITEMS: usize = 64;

/// OAuth errors that a policy may choose (RFC 6749 §5.2 and §4.1.2.1, RFC 8693, RFC 8707, RFC 9396, RFC 9449, RFC 9470,
/// OpenID Connect Core §3.1.2.6).
const ERRORS: [&str; 15] = [
    "access_denied",
    "authorization_pending",
    "consent_required",
    "insufficient_user_authentication",
    "interaction_required",
    "invalid_authorization_details",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "login_required",
    "temporarily_unavailable",
    "unauthorized_client",
];

/// The member `issuance` of the context that the policy gives. What it does not name, it does not grant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Grant {
    pub(super) scopes: Vec<String>,
    /// Why scopes are refused, in the policy's words.
    pub(super) refused: Object,
    pub(super) audience: Vec<String>,
    /// In seconds.
    pub(super) lifetime: Option<u64>,
    pub(super) details: Vec<Object>,
    pub(super) claims: Object,
    pub(super) critical: Vec<String>,
    pub(super) consent: Vec<String>,
    pub(super) approval: Option<Object>,
    pub(super) sender_binding: Vec<String>,
    pub(super) error: Option<&'static str>,
}

/// Reads it; `Err` says what is wrong with it.
pub(super) fn read(verdict: &Verdict) -> Result<Grant, String> {
    let members = match verdict.context.get("issuance") {
        None => return Ok(Grant::default()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err("`context.issuance` is no object".to_owned()),
    };
    let mut grant = Grant::default();
    for (name, value) in members.iter() {
        match name {
            "scopes" => grant.scopes = texts(name, value)?,
            "audience" => grant.audience = texts(name, value)?,
            "crit" => grant.critical = texts(name, value)?,
            "consent" => grant.consent = texts(name, value)?,
            "sender_binding" => {
                grant.sender_binding = texts(name, value)?;
                let known = |method: &String| matches!(method.as_str(), "dpop" | "mtls");
                if grant.sender_binding.is_empty() || !grant.sender_binding.iter().all(known) {
                    return Err("`sender_binding` has none of, or others than, `dpop` and `mtls`".to_owned());
                }
            }
            "token_lifetime" => grant.lifetime = Some(whole(name, value)?),
            "authorization_details" => grant.details = details(name, value)?,
            "claims" => grant.claims = object(name, value)?,
            "refused_scopes" => grant.refused = object(name, value)?,
            "approval" => grant.approval = Some(object(name, value)?),
            "error" => {
                let Value::String(text) = value else { return Err("`error` is no text".to_owned()) };
                let known = ERRORS.into_iter().find(|known| known == text);
                grant.error = Some(known.ok_or_else(|| "`error` is no error that a policy may choose".to_owned())?);
            }
            _ => return Err(format!("`{name}` is no member of `issuance`")),
        }
    }
    if grant.claims.len() > MAX_ITEMS {
        return Err(format!("`claims` has more than {MAX_ITEMS} members"));
    }
    if let Some(name) = grant.critical.iter().find(|name| grant.claims.get(name).is_none()) {
        return Err(format!("`crit` names `{name}`, which is no member of `claims`"));
    }
    Ok(grant)
}

fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let Value::Array(items) = value else { return Err(format!("`{name}` is no list")) };
    let text = |item: &Value| match item {
        Value::String(text) => Ok(text.clone()),
        _ => Err(format!("`{name}` has an item that is no text")),
    };
    items.iter().map(text).collect()
}

fn whole(name: &str, value: &Value) -> Result<u64, String> {
    let number = match value {
        Value::Number(Number::Int(number)) => u64::try_from(*number).ok(),
        Value::Number(Number::UInt(number)) => Some(*number),
        _ => None,
    };
    number.ok_or_else(|| format!("`{name}` is no whole number of seconds"))
}

fn object(name: &str, value: &Value) -> Result<Object, String> {
    match value {
        Value::Object(members) => Ok(members.clone()),
        _ => Err(format!("`{name}` is no object")),
    }
}

fn details(name: &str, value: &Value) -> Result<Vec<Object>, String> {
    let Value::Array(items) = value else { return Err(format!("`{name}` is no list")) };
    if items.len() > MAX_ITEMS {
        return Err(format!("`{name}` has more than {MAX_ITEMS} entries"));
    }
    let entry = |item: &Value| {
        let entry = object("an entry of authorization_details", item)?;
        super::details::fault(&entry).map_or(Ok(entry), |fault| Err(format!("an entry of `{name}`: {fault}")))
    };
    items.iter().map(entry).collect()
}
