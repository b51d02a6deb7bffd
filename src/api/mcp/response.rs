//! What the enforcement point sends back for a message that may not pass.

use serde_json::{Value as Json, json};

use super::{code, mapping::Caller};
use crate::{
    api::json::written,
    decision::{Value, Verdict, code as failure},
};

/// An HTTP response.
pub(in crate::api) struct Response {
    pub(in crate::api) status: u16,
    /// The challenge (RFC 6750 §3).
    challenge: Option<String>,
    /// A JSON-RPC error; none for a notification, which gets no answer (JSON-RPC 2.0 §4.1).
    pub(in crate::api) body: Option<Json>,
}

impl Response {
    /// For a verdict on the message with that id; `None` if it may pass.
    pub(super) fn to(verdict: &Verdict, id: Option<&Value>, caller: &Caller, decision_id: &str) -> Option<Self> {
        if verdict.is_allow() {
            return None;
        }
        let cause = verdict.diagnostics.first().map(|diagnostic| (&*diagnostic.code, diagnostic.message.as_str()));
        let (status, number, message) = match cause {
            Some((code::PARSE_ERROR, fault)) => (400, -32_700, fault.to_owned()),
            Some((code::INVALID_MESSAGE, fault)) => (400, -32_600, fault.to_owned()),
            Some((code::INVALID_PARAMS, fault)) => (400, -32_602, fault.to_owned()),
            Some((code::UNKNOWN_METHOD, fault)) => (404, -32_601, fault.to_owned()),
            Some((code::HEADER_MISMATCH, fault)) => (400, -32_020, fault.to_owned()),
            // Why a policy failed is for its operators.
            Some((code, _)) if code != failure::NO_DECISION => (500, -32_603, "the decision failed".to_owned()),
            _ => (403, -32_001, denied(verdict)),
        };
        let (status, challenge) = if status == 403 { challenge(verdict, caller) } else { (status, None) };
        // What is wrong with the message's form goes back even where its id is not known; a notification gets nothing.
        let answerable = id.is_some() || matches!(number, -32_700 | -32_600);
        let body = answerable.then(|| {
            let error = json!({"code": number, "message": message, "data": {"decision_id": decision_id}});
            let mut body = json!({"jsonrpc": "2.0", "error": error});
            if let (Some(id), Json::Object(members)) = (id, &mut body) {
                members.insert("id".to_owned(), written(id));
            }
            body
        });
        Some(Self { status, challenge, body })
    }

    /// The headers that go with it.
    pub(in crate::api) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let challenge = self.challenge.as_deref().map(|challenge| ("WWW-Authenticate", challenge));
        challenge.into_iter().chain(self.body.as_ref().map(|_| ("Content-Type", "application/json")))
    }
}

/// The words that the policy has for the person.
fn denied(verdict: &Verdict) -> String {
    let mut words: Vec<&str> = Vec::new();
    for reason in &verdict.reasons {
        if !reason.user_message.is_empty() && !words.contains(&reason.user_message.as_str()) {
            words.push(&reason.user_message);
        }
    }
    if words.is_empty() { "access denied".to_owned() } else { words.join(" ") }
}

/// The status and the challenge of a deny: all scopes in one, and stronger authentication (RFC 9470 §3) with them.
fn challenge(verdict: &Verdict, caller: &Caller) -> (u16, Option<String>) {
    let scopes = tokens(&verdict.required_scopes);
    let step_up = verdict.step_up.as_ref();
    let mut parameters = Vec::new();
    let status = if caller.is_unproven() {
        parameters.push("error=\"invalid_token\"".to_owned());
        401
    } else if caller.is_anonymous() {
        401
    } else if let Some(step_up) = step_up {
        parameters.push("error=\"insufficient_user_authentication\"".to_owned());
        if let Some(values) = tokens(&step_up.acr_values) {
            parameters.push(format!("acr_values=\"{values}\""));
        }
        if let Some(age) = step_up.max_age {
            parameters.push(format!("max_age=\"{}\"", age.as_secs()));
        }
        401
    } else if scopes.is_some() {
        parameters.push("error=\"insufficient_scope\"".to_owned());
        403
    } else {
        return (403, None);
    };
    if let Some(scopes) = scopes {
        parameters.push(format!("scope=\"{scopes}\""));
    }
    if let Some(url) = caller.metadata() {
        parameters.push(format!("resource_metadata=\"{url}\""));
    }
    let challenge =
        if parameters.is_empty() { "Bearer".to_owned() } else { format!("Bearer {}", parameters.join(", ")) };
    (status, Some(challenge))
}

/// Tokens in one text, each once; `None` if there are none, or if one is none (RFC 6749 §3.3): then nothing can be asked
/// for whose grant would be enough, and nothing may end the quotes.
fn tokens(given: &[String]) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    for token in given {
        if token.is_empty() || !token.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~')) {
            return None;
        }
        if !kept.contains(&token.as_str()) {
            kept.push(token);
        }
    }
    (!kept.is_empty()).then(|| kept.join(" "))
}
