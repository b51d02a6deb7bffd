//! Narrowing, by hand; `tests/issuance` has random policies, and policies of Rego.

mod broadening;

use std::time::Duration;

use super::{rule::settle, *};
use crate::decision::{Effect, Object, StepUp, Value, Verdict, json::parse};

const NOW: u64 = 1_800_000_000;

fn object(json: &str) -> Object {
    let Value::Object(members) = parse(json.as_bytes()).unwrap() else { panic!("{json}") };
    members
}

fn request() -> Request {
    let client = Client { id: "app".to_owned(), ..Client::default() };
    let subject = Party { kind: "user".to_owned(), id: "alice".to_owned(), properties: Object::new() };
    let mut request =
        Request::new(GrantType::new("authorization_code"), TokenType::new("access_token"), client, subject);
    request.scopes = ["read", "write"].map(str::to_owned).to_vec();
    request.audience = vec!["https://api".to_owned()];
    assert!(request.violations().is_empty());
    request
}

/// An allow whose context has that as `issuance`.
fn allow(issuance: &str) -> Verdict {
    let context = Object::from_iter([("issuance".to_owned(), object(issuance).into())]);
    Verdict { effect: Effect::Allow, context, ..Verdict::default() }
}

fn ask(request: &Request, policy: &str) -> Answer {
    both(request, allow(policy), None)
}

fn both(request: &Request, subject: Verdict, actor: Option<Verdict>) -> Answer {
    let (verdict, answer) = settle(request, &Config::default(), NOW, subject, actor);
    assert_eq!(verdict.is_allow(), answer.allow);
    assert!(answer.allow || (!verdict.reasons.is_empty() && answer.error.is_some()));
    assert!(answer.allow || answer.scopes.is_empty() && answer.lifetime.is_zero() && answer.claims.is_empty());
    assert_eq!(verdict.context.get("issuance"), Some(&answer.to_object().into()));
    answer
}

fn cuts(answer: &Answer) -> Vec<(&str, &str, &str)> {
    answer.cuts.iter().map(|cut| (cut.what, cut.value.as_str(), cut.code)).collect()
}

#[test]
fn what_was_not_asked_for_is_cut_and_said() {
    let answer = ask(
        &request(),
        r#"{"scopes": ["read", "admin"], "audience": ["https://api", "https://other"], "token_lifetime": 999999999,
            "claims": {"groups": ["a"], "SUB": "root", "аud": "x", "scope": "admin", "client-id": "y"}}"#,
    );
    assert!(answer.allow);
    assert_eq!(answer.scopes, ["read"]);
    assert_eq!(answer.audience, ["https://api"]);
    assert_eq!(answer.lifetime, Duration::from_secs(86_400));
    assert_eq!(answer.claims, object(r#"{"groups": ["a"]}"#));
    assert_eq!(
        cuts(&answer),
        [
            ("scope", "admin", "not_requested"),
            ("audience", "https://other", "not_requested"),
            ("lifetime", "999999999", "server_ceiling"),
            ("claim", "SUB", "lookalike_claim"),
            ("claim", "client-id", "lookalike_claim"),
            ("claim", "scope", "reserved_claim"),
            ("claim", "аud", "lookalike_claim"),
        ]
    );
    assert_eq!(answer.refused.len(), 1);
    assert_eq!((answer.refused[0].scope.as_str(), answer.refused[0].code), ("write", "not_granted"));
}

#[test]
fn what_the_policy_does_not_name_is_not_granted() {
    for (policy, error) in [
        ("{}", "invalid_target"),
        (r#"{"scopes": ["read"]}"#, "invalid_target"),
        (r#"{"audience": ["https://api"]}"#, "invalid_scope"),
        (r#"{"scopes": ["read"], "audience": ["https://api"], "token_lifetime": 0}"#, "access_denied"),
    ] {
        let answer = ask(&request(), policy);
        assert_eq!((answer.allow, answer.error), (false, Some(error)), "{policy}");
    }
    let mut nothing = request();
    nothing.scopes.clear();
    nothing.audience.clear();
    assert!(ask(&nothing, "{}").allow);
    // Nothing was asked for, so nothing is granted.
    let answer = ask(&nothing, r#"{"scopes": ["admin"], "audience": ["https://api"]}"#);
    assert!(answer.allow && answer.scopes.is_empty() && answer.audience.is_empty());
    assert_eq!(answer.cuts.len(), 2);
}

#[test]
fn an_answer_that_is_not_understood_is_a_deny() {
    for policy in [
        r#"{"scopes": "read"}"#,
        r#"{"scopes": [1]}"#,
        r#"{"scope": ["read"]}"#,
        r#"{"token_lifetime": -1}"#,
        r#"{"token_lifetime": 1.5}"#,
        r#"{"token_lifetime": "60"}"#,
        r#"{"audience": "https://api"}"#,
        r#"{"claims": []}"#,
        r#"{"crit": ["a"]}"#,
        r#"{"authorization_details": [{"actions": ["a"]}]}"#,
        r#"{"authorization_details": [{"type": "a", "actions": []}]}"#,
        r#"{"sender_binding": []}"#,
        r#"{"sender_binding": ["password"]}"#,
        r#"{"error": "slow_down"}"#,
        r#"{"lifetime": 60}"#,
    ] {
        let answer = ask(&request(), policy);
        assert_eq!((answer.allow, answer.error), (false, Some("server_error")), "{policy}");
    }
    let odd = Verdict { context: object(r#"{"issuance": 1}"#), effect: Effect::Allow, ..Verdict::default() };
    assert!(!both(&request(), odd, None).allow);
}

#[test]
fn ceilings_hold_of_agents_and_workloads() {
    let mut request = request();
    let policy = r#"{"scopes": ["read", "write"], "audience": ["https://api"], "token_lifetime": 7200}"#;
    request.subject.kind = "workload".to_owned();
    let answer = ask(&request, policy);
    assert_eq!((answer.lifetime.as_secs(), cuts(&answer)), (3_600, vec![("lifetime", "7200", "workload_ceiling")]));
    request.subject.kind = "agent".to_owned();
    assert_eq!(ask(&request, policy).lifetime.as_secs(), 900);
    request.subject.kind = "user".to_owned();
    assert_eq!(ask(&request, policy).lifetime.as_secs(), 7_200);
    assert_eq!(both(&request, allow(policy), Some(allow(policy))).lifetime.as_secs(), 900);
    request.lifetime = Some(Duration::from_secs(60));
    assert_eq!(ask(&request, policy).lifetime.as_secs(), 60);

    let mut config = Config::default();
    config.agent.scopes = Some(vec!["read".to_owned()]);
    config.agent.audience = Some(Vec::new());
    request.subject.kind = "agent".to_owned();
    let (_, answer) = settle(&request, &config, NOW, allow(policy), None);
    assert!(!answer.allow && answer.error == Some("invalid_target"));
    assert_eq!(cuts(&answer)[..2], [("scope", "write", "agent_ceiling"), ("audience", "https://api", "agent_ceiling")]);

    // Of an entry's locations as of targets, those that a ceiling excludes go, and an entry with no other.
    config.agent.audience = Some(vec!["https://api".to_owned()]);
    request.details = vec![
        object(r#"{"type": "t", "locations": ["https://api", "https://other"]}"#),
        object(r#"{"type": "u", "locations": ["https://other"]}"#),
    ];
    let all = r#"{"scopes": ["read"], "audience": ["https://api"], "authorization_details": [
        {"type": "t", "locations": ["https://api", "https://other"]}, {"type": "u", "locations": ["https://other"]}]}"#;
    for (subject, actor) in [("agent", None), ("user", Some(allow(all)))] {
        request.subject.kind = subject.to_owned();
        let (_, answer) = settle(&request, &config, NOW, allow(all), actor);
        assert_eq!(answer.details, [object(r#"{"type": "t", "locations": ["https://api"]}"#)]);
        assert!(cuts(&answer).contains(&("authorization_details", "https://other", "agent_ceiling")));
    }
    request.details.clear();

    request.subject.kind = "user".to_owned();
    request.client.registered_scopes = vec!["read".to_owned()];
    let answer = ask(&request, policy);
    assert_eq!((answer.scopes, answer.refused[0].code), (vec!["read".to_owned()], "not_registered"));
}

#[test]
fn two_parties_get_what_both_may_have() {
    let of = |scopes: &str, life: u32, claims: &str| {
        allow(&format!(
            r#"{{"scopes": {scopes}, "audience": ["https://api"], "token_lifetime": {life}, "claims": {claims}}}"#
        ))
    };
    let whole = of(r#"["read", "write"]"#, 300, r#"{"a": 1}"#);
    let answer = both(&request(), whole.clone(), Some(of(r#"["write"]"#, 200, r#"{"b": 2}"#)));
    assert_eq!((answer.scopes, answer.lifetime.as_secs()), (vec!["write".to_owned()], 200));
    assert_eq!(answer.claims, object(r#"{"a": 1, "b": 2}"#));
    let conflict = both(&request(), whole.clone(), Some(of(r#"["write"]"#, 200, r#"{"a": 2}"#)));
    assert_eq!((conflict.allow, conflict.error), (false, Some("server_error")));
    let disjoint = both(&request(), of(r#"["read"]"#, 1, "{}"), Some(of(r#"["write"]"#, 1, "{}")));
    assert_eq!(disjoint.error, Some("invalid_scope"));
    for (subject, actor) in [(Verdict::default(), whole.clone()), (whole, Verdict::default())] {
        assert!(!both(&request(), subject, Some(actor)).allow);
    }
}

#[test]
fn details_lose_what_was_not_asked_for() {
    let mut request = request();
    request.scopes.clear();
    request.details = vec![
        object(r#"{"type": "files", "actions": ["read", "list"], "locations": ["https://api"]}"#),
        object(r#"{"type": "files", "actions": ["write"], "locations": ["https://api"], "datatypes": ["photos"]}"#),
        object(r#"{"type": "payment", "amount": "10.00"}"#),
    ];
    let granted = |entry: &str| {
        let answer = ask(&request, &format!(r#"{{"audience": ["https://api"], "authorization_details": [{entry}]}}"#));
        (answer.details, answer.cuts.len())
    };
    let whole = |entry: &str| (vec![object(entry)], 0);
    let part = |entry: &str| (vec![object(entry)], 1);
    for entry in [
        r#"{"type": "files", "actions": ["list"], "locations": ["https://api"]}"#,
        r#"{"type": "files", "actions": ["read"], "locations": ["https://api"], "datatypes": ["photos"]}"#,
        r#"{"type": "payment", "amount": "10.00"}"#,
        r#"{"type": "payment", "amount": "10.00", "locations": ["https://api"], "identifier": "a"}"#,
    ] {
        assert_eq!(granted(entry), whole(entry));
    }
    assert_eq!(
        granted(r#"{"type": "files", "actions": ["read", "delete"], "locations": ["https://api"]}"#),
        part(r#"{"type": "files", "actions": ["read"], "locations": ["https://api"]}"#)
    );
    // Without a member, an entry would stand for all of it.
    assert_eq!(
        granted(r#"{"type": "files"}"#),
        part(r#"{"type": "files", "actions": ["read", "list"], "locations": ["https://api"]}"#)
    );
    for entry in [
        // Of two entries, one action and the other's data.
        r#"{"type": "files", "actions": ["read"], "locations": ["https://other"], "datatypes": ["photos"]}"#,
        r#"{"type": "payment", "amount": "11.00"}"#,
        r#"{"type": "payment", "amount": "10.00", "currency": "EUR"}"#,
        r#"{"type": "payment", "amount": "10.00", "locations": ["https://other"]}"#,
        r#"{"type": "files", "actions": ["delete"], "locations": ["https://api"]}"#,
        r#"{"type": "admin"}"#,
    ] {
        let (details, cuts) = granted(entry);
        assert!(details.is_empty() && cuts == 1, "{entry}");
    }
}

#[test]
fn an_allow_with_a_demand_that_is_not_met_is_a_deny() {
    let policy = |extra: &str| {
        format!(
            r#"{{"scopes": ["read"], "audience": ["https://api"]{}{extra}}}"#,
            if extra.is_empty() { "" } else { "," }
        )
    };
    let mut request = request();
    let error = |request: &Request, verdict: &Verdict| both(request, verdict.clone(), None).error;
    let consent = allow(&policy(r#""consent": ["read"]"#));
    assert_eq!(error(&request, &consent), Some("consent_required"));
    request.consent = vec!["read".to_owned()];
    assert_eq!(error(&request, &consent), None);

    let bound = allow(&policy(r#""sender_binding": ["dpop", "mtls"]"#));
    assert_eq!(error(&request, &bound), Some("invalid_request"));
    assert_eq!(error(&request, &allow(&policy(r#""sender_binding": ["dpop"]"#))), Some("invalid_dpop_proof"));
    request.binding.x5t_s256 = Some("x".to_owned());
    assert_eq!(error(&request, &bound), None);

    let approval = both(&request, allow(&policy(r#""approval": {"by": "lead"}"#)), None);
    assert_eq!((approval.error, approval.approval.is_some()), (Some("access_denied"), true));

    let step_up = StepUp { acr_values: vec!["mfa".to_owned()], max_age: Some(Duration::from_secs(300)) };
    let step_up = Verdict { step_up: Some(step_up), ..allow(&policy("")) };
    let wanted = Some("insufficient_user_authentication");
    assert_eq!(error(&request, &step_up), wanted);
    request.authentication.acr = Some("mfa".to_owned());
    assert_eq!(error(&request, &step_up), wanted);
    request.authentication.auth_time = Some(NOW - 301);
    assert_eq!(error(&request, &step_up), wanted);
    request.authentication.auth_time = Some(NOW - 300);
    assert_eq!(error(&request, &step_up), None);
    // A clock that is a little ahead is believed; milliseconds are no time of an authentication.
    request.authentication.auth_time = Some(NOW + 30);
    assert_eq!(error(&request, &step_up), None);
    for ahead in [NOW + 61, NOW * 1_000, u64::MAX] {
        request.authentication.auth_time = Some(ahead);
        assert_eq!(error(&request, &step_up), wanted, "{ahead}");
    }
    request.authentication.auth_time = Some(NOW - 300);
    // Each party's demand counts, even where the two have nothing in common.
    let other = StepUp { acr_values: vec!["phr".to_owned()], max_age: None };
    let other = Verdict { step_up: Some(other), ..allow(&policy("")) };
    assert_eq!(both(&request, step_up, Some(other)).error, wanted);
}

#[test]
fn a_permit_that_depends_on_a_claim_falls_with_it() {
    let policy =
        r#"{"scopes": ["read"], "audience": ["https://api"], "claims": {"act": {"sub": "x"}}, "crit": ["act"]}"#;
    assert_eq!(ask(&request(), policy).error, Some("server_error"));
    let policy = policy.replace("\"act\"", "\"limit\"");
    let answer = ask(&request(), &policy);
    assert!(answer.allow && answer.critical == ["limit"]);
}

#[test]
fn a_policy_that_denies_says_the_error() {
    let deny = |issuance: &str| Verdict { effect: Effect::Deny, ..allow(issuance) };
    let mut request = request();
    assert_eq!(both(&request, deny(r#"{"error": "invalid_grant"}"#), None).error, Some("invalid_grant"));
    assert_eq!(both(&request, deny("{}"), None).error, Some("access_denied"));
    request.grant = GrantType::new("urn:ietf:params:oauth:grant-type:token-exchange");
    assert_eq!(both(&request, deny("{}"), None).error, Some("invalid_request"));
    assert_eq!(both(&request, deny(r#"{"consent": ["read"]}"#), None).error, Some("consent_required"));
    // A settled verdict that is a deny takes everything back.
    let answer = ask(&request, r#"{"scopes": ["read"], "audience": ["https://api"]}"#);
    let taken = answer.under(&Verdict::default());
    assert!(!taken.allow && taken.scopes.is_empty() && taken.error == Some("server_error"));
}
