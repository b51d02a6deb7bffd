//! Bytes as a security event token that is pushed, as its payload, and as its header. The first one chooses.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{chosen, forge, server};

const HEADER: &str = r#"{"alg": "EdDSA", "typ": "secevent+jwt", "kid": "key"}"#;
/// Stands for the time, which must be near for a token to be taken.
const NOW: &str = "1111111111";

/// Taken or refused; nothing is taken that the transmitter's key did not sign, nor what is meant for somebody else.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let (token, payload) = match choice % 3 {
        0 => (rest.to_vec(), None),
        1 => {
            let payload = String::from_utf8_lossy(rest).replace(NOW, &now().to_string()).into_bytes();
            (forge::token(HEADER.as_bytes(), &payload).into_bytes(), Some(payload))
        }
        _ => {
            let payload = session("1").replace(NOW, &now().to_string());
            (forge::token(rest, payload.as_bytes()).into_bytes(), None)
        }
    };
    let (status, answer) = server::http("POST", "/ssf/events", "application/secevent+jwt", &token);
    if status != 202 {
        assert!(!answer.is_empty(), "{status} says nothing");
        return;
    }
    assert!(forge::is_ours(&token), "{}", String::from_utf8_lossy(&token));
    if let Some(payload) = payload {
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["iss"], "https://issuer.example");
        let audience = &claims["aud"];
        let meant = audience == "https://pdp.example"
            || audience.as_array().is_some_and(|all| all.iter().any(|one| one == "https://pdp.example"));
        assert!(meant && claims["jti"].is_string() && claims["events"].is_object(), "{claims}");
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn session(jti: &str) -> String {
    let event = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
    let subject = r#"{"format": "complex", "session": {"format": "opaque", "id": "s"}, "user": {"format": "iss_sub", "iss": "https://issuer.example", "sub": "alice"}}"#;
    format!(
        r#"{{"iss": "https://issuer.example", "aud": "https://pdp.example", "iat": {NOW}, "jti": "{jti}", "sub_id": {subject}, "events": {{"{event}": {{"event_timestamp": {NOW}}}}}}}"#
    )
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let credential = session("2").replace("session-revoked", "credential-change");
    let disabled = session("3").replace("caep/event-type/session-revoked", "risc/event-type/account-disabled");
    let verification = session("4").replace("caep/event-type/session-revoked", "ssf/event-type/verification");
    vec![
        ("stale", chosen(0, forge::token(HEADER.as_bytes(), session("0").as_bytes()))),
        ("unsigned", chosen(0, "eyJhbGciOiJub25lIn0.e30.")),
        ("session", chosen(1, session("1"))),
        ("credential", chosen(1, credential)),
        ("disabled", chosen(1, disabled)),
        ("verification", chosen(1, verification)),
        ("header", chosen(2, HEADER)),
        ("header-jwk", chosen(2, HEADER.replace('}', r#", "jwk": {}, "crit": ["x"]}"#))),
    ]
}
