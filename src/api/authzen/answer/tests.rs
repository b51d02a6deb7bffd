use std::time::Duration;

use super::*;
use crate::{
    api::json::object,
    decision::{Effect, code},
};

fn said(code: &str, message: &str, user_message: &str) -> Reason {
    Reason { user_message: user_message.to_owned(), ..Reason::new(code, message) }
}

#[test]
fn an_allow_with_nothing_to_say_is_a_decision_alone() {
    let allow = Verdict { effect: Effect::Allow, ..Verdict::default() };
    assert_eq!(verdict(allow, "id"), json!({"decision": true}));
}

#[test]
fn reasons_are_by_code_and_the_users_apart() {
    let deny = Verdict {
        reasons: vec![said("a", "for admins", "for users"), said("a", "more", ""), said("b", "", "")],
        ..Verdict::default()
    };
    let context = json!({
        "reason_admin": {"a": "for admins; more", "b": "b"},
        "reason_user": {"a": "for users"},
        "decision_id": "id",
    });
    assert_eq!(verdict(deny, "id"), json!({"decision": false, "context": context}));
}

#[test]
fn what_the_policy_says_in_its_context_stays() {
    let own = br#"{"reason_user": {"en-403": "No", "a": "own"}, "reason_admin": "text", "n": 12345678901234567890123}"#;
    let deny = Verdict { reasons: vec![said("a", "m", "u")], context: object(own).unwrap(), ..Verdict::default() };
    let text = verdict(deny, "id").to_string();
    assert!(text.contains(r#""reason_user":{"a":"own","en-403":"No"}"#), "{text}");
    assert!(text.contains(r#""reason_admin":{"a":"m"}"#) && text.contains("12345678901234567890123"), "{text}");
}

#[test]
fn an_allow_carries_what_must_be_done_along_with_it() {
    let allow = Verdict {
        effect: Effect::Allow,
        obligations: vec![Obligation {
            id: "o".to_owned(),
            kind: String::new(),
            properties: object(b"{\"x\": 1}").unwrap(),
        }],
        // A policy cannot hide an obligation behind a context.
        context: object(br#"{"obligations": []}"#).unwrap(),
        required_scopes: vec!["s".to_owned()],
        step_up: Some(StepUp { acr_values: vec!["phr".to_owned()], max_age: Some(Duration::from_secs(60)) }),
        ttl: Some(Duration::from_millis(1_500)),
        ..Verdict::default()
    };
    let context = json!({
        "obligations": [{"id": "o", "type": "custom", "properties": {"x": 1}}],
        "required_scopes": ["s"],
        "step_up": {"acr_values": ["phr"], "max_age": 60},
        "ttl": 1.5,
        "decision_id": "id",
    });
    assert_eq!(verdict(allow, "id"), json!({"decision": true, "context": context}));
}

#[test]
fn what_went_wrong_is_a_deny_with_its_reason() {
    let deny = Verdict::deny_for(code::EVALUATION_ERROR, "it broke", None);
    let context = json!({"reason_admin": {"evaluation_error": "it broke"}, "decision_id": "id"});
    assert_eq!(verdict(deny, "id"), json!({"decision": false, "context": context}));
}
