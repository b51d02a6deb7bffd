use serde_json::{Value as Json, json};

use super::*;
use crate::{
    api::{envoy::IdHeader, json},
    decision::{Reason, code},
};

fn verdict(effect: Effect) -> Verdict {
    let reason = Reason {
        code: "too_late".to_owned(),
        message: "for operators".to_owned(),
        user_message: "Come back tomorrow.".to_owned(),
        ..Reason::default()
    };
    Verdict { effect, reasons: vec![reason], ..Verdict::default() }
}

fn extras(result: &Json, allowed: bool) -> Result<Extras, String> {
    Extras::read(&Value::Object(json::object(result.to_string().as_bytes()).unwrap()), allowed, "")
}

fn answer(effect: Effect, result: &Json, config: &Config) -> CheckResponse {
    let extras = extras(result, effect == Effect::Allow).unwrap();
    response(Outcome::Decided(Box::new((verdict(effect), extras))), "id-1", config)
}

#[expect(deprecated, reason = "it is what Envoy is told")]
fn headers(options: &[HeaderValueOption]) -> Vec<(&str, &str, Option<bool>)> {
    let told = options.iter().map(|option| {
        let header = option.header.as_ref().unwrap();
        (header.key.as_str(), header.value.as_str(), option.append.as_ref().map(|append| append.value))
    });
    told.collect()
}

#[test]
fn an_allow_takes_the_place_of_what_the_client_sent() {
    let result = json!({
        "allowed": true,
        "headers": [{"X-User": "alice"}, {"x-role": ["a", "b"], ":path": "/elsewhere"}],
        "response_headers_to_add": {"x-seen": ["1", "2"]},
        "request_headers_to_remove": ["authorization"],
        "query_parameters_to_set": {"tenant": "t", "tag": ["x", "y"]},
        "query_parameters_to_remove": ["token"],
        "dynamic_metadata": {"n": 1, "deep": [{"a": null}], "decision_id": "forged"},
        "http_status": 200,
        "body": 7,
    });
    let response = answer(Effect::Allow, &result, &Config::default());
    assert_eq!(response.status.unwrap().code, 0);
    let Some(HttpResponse::OkResponse(ok)) = response.http_response else { panic!("an allow") };
    assert_eq!(
        headers(&ok.headers),
        [
            ("x-user", "alice", Some(false)),
            (":path", "/elsewhere", Some(false)),
            ("x-role", "a", Some(false)),
            ("x-role", "b", Some(true)),
            ("verdict-decision-id", "id-1", Some(false)),
        ]
    );
    assert_eq!(headers(&ok.response_headers_to_add), [("x-seen", "1", None), ("x-seen", "2", None)]);
    assert_eq!(
        (ok.headers_to_remove, ok.query_parameters_to_remove),
        (vec!["authorization".to_owned()], vec!["token".to_owned()])
    );
    let set: Vec<_> = ok.query_parameters_to_set.iter().map(|set| (set.key.as_str(), set.value.as_str())).collect();
    assert_eq!(set, [("tag", "x&tag=y"), ("tenant", "t")]);
    let metadata = response.dynamic_metadata.unwrap().fields;
    assert_eq!(metadata["decision_id"], string("id-1".to_owned()));
    assert_eq!(metadata["n"], kind(Kind::NumberValue(1.0)));
}

#[test]
fn a_deny_is_a_denied_response_whatever_the_policy_says() {
    let denied = |result: &Json, config: &Config| {
        let response = answer(Effect::Deny, result, config);
        assert_eq!(response.status.unwrap().code, 7);
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!("a deny") };
        denied
    };
    let plain = denied(&json!({"allowed": false, "request_headers_to_remove": 1}), &Config::default());
    assert_eq!((plain.status.unwrap().code, plain.body.as_str()), (403, ""));
    assert_eq!(headers(&plain.headers), [("verdict-decision-id", "id-1", Some(false))]);
    let result = json!({"allowed": false, "http_status": 302, "body": "gone",
        "headers": {"location": "/login", "set-cookie": ["a=1", "b=2"]}});
    let config = Config { decision_id_header: IdHeader(None), reasons_in_body: true, ..Config::default() };
    let full = denied(&result, &config);
    assert_eq!((full.status.unwrap().code, full.body.as_str()), (302, "gone"));
    let wanted = [("location", "/login", Some(false)), ("set-cookie", "a=1", Some(false)), ("set-cookie", "b=2", None)];
    assert_eq!(headers(&full.headers), wanted);
    let told = denied(&json!({"allowed": false}), &config);
    assert_eq!(told.body, "Come back tomorrow.");
}

#[test]
fn what_envoy_could_not_take_is_no_decision() {
    let deep = (0..40).fold(json!(1), |value, _| json!({"a": value}));
    for (allowed, member) in [
        (true, json!({"headers": {"x": "a\r\nb"}})),
        (true, json!({"headers": {"x": 1}})),
        (true, json!({"headers": {"x": ["a", 1]}})),
        (true, json!({"headers": "x"})),
        (true, json!({"headers": ["x"]})),
        (true, json!({"headers": {"a b": "x"}})),
        (true, json!({"headers": {":status": "200"}})),
        (true, json!({"headers": {":path": "/a HTTP/1.1"}})),
        (true, json!({"headers": {":path": ""}})),
        (true, json!({"headers": {"Content-Length": "0"}})),
        (true, json!({"response_headers_to_add": {":path": "/"}})),
        (true, json!({"request_headers_to_remove": "x"})),
        (true, json!({"request_headers_to_remove": ["a b"]})),
        (true, json!({"request_headers_to_remove": [1]})),
        (true, json!({"query_parameters_to_set": ["x"]})),
        (true, json!({"query_parameters_to_set": {"x": 1}})),
        (true, json!({"query_parameters_to_remove": {}})),
        (true, json!({"dynamic_metadata": ["foo", "bar"]})),
        (true, json!({"dynamic_metadata": {"a": deep.clone()}})),
        (false, json!({"dynamic_metadata": {"a": deep}})),
        (false, json!({"headers": {":status": "200"}})),
        (false, json!({"http_status": 200})),
        (false, json!({"http_status": 204})),
        (false, json!({"http_status": 100})),
        (false, json!({"http_status": 0})),
        (false, json!({"http_status": 299.5})),
        (false, json!({"http_status": 599})),
        (false, json!({"http_status": "403"})),
        (false, json!({"http_status": 4_294_967_499_u64})),
        (false, json!({"body": {"a": 1}})),
    ] {
        assert!(extras(&member, allowed).is_err(), "{member}");
    }
    for status in [302, 400, 401, 403, 404, 429, 451, 500, 503] {
        assert_eq!(extras(&json!({"http_status": status}), false).is_ok(), status != 451, "{status}");
    }
}

#[test]
fn failures_are_denied_and_a_dry_run_lets_all_through() {
    let outcomes = || {
        [
            (Outcome::Failed(CallError::PoliciesNotReady), 503, "POLICIES_NOT_READY"),
            (Outcome::Failed(CallError::DeadlineExceeded), 504, "DEADLINE_EXCEEDED"),
            (Outcome::Failed(CallError::MalformedMessage("x".to_owned())), 400, "MALFORMED_MESSAGE"),
            (Outcome::Panicked, 500, "INTERNAL_ERROR"),
            (
                Outcome::Decided(Box::new((Verdict::deny_for(code::NO_DECISION, "none", None), Extras::default()))),
                403,
                code::NO_DECISION,
            ),
        ]
    };
    let dry = Config { dry_run: true, ..Config::default() };
    for ((outcome, status, reason), (again, ..)) in outcomes().into_iter().zip(outcomes()) {
        assert_eq!(outcome.reasons(), [reason]);
        let response = response(outcome, "id-1", &Config::default());
        assert_eq!(response.status.unwrap().code, 7);
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!("a deny") };
        assert_eq!((denied.status.unwrap().code, denied.body.as_str()), (status, ""));
        let let_through = super::response(again, "id-1", &dry);
        assert_eq!(let_through.status.unwrap().code, 0);
        let Some(Kind::StructValue(told)) = &let_through.dynamic_metadata.unwrap().fields["verdict"].kind else {
            panic!("told")
        };
        assert_eq!(told.fields["effect"], string("deny".to_owned()));
        assert_eq!(told.fields["dry_run"], kind(Kind::BoolValue(true)));
    }
}

#[test]
fn a_header_without_values_takes_the_clients_away() {
    let result = json!({"allowed": true, "headers": {"X-Roles": []}, "request_headers_to_remove": ["a"]});
    let Some(HttpResponse::OkResponse(ok)) = answer(Effect::Allow, &result, &Config::default()).http_response else {
        panic!("an allow")
    };
    assert_eq!(ok.headers_to_remove, ["a", "x-roles"]);
    for name in [":path", "host", "Host"] {
        assert!(extras(&json!({"allowed": true, "headers": {name: []}}), true).is_err(), "{name}");
    }
}

#[test]
fn a_deny_says_nothing_that_grpc_clients_read_as_ok() {
    for name in ["grpc-status", "Grpc-Status", "grpc-message"] {
        assert!(extras(&json!({"allowed": false, "headers": {name: "0"}}), false).is_err(), "{name}");
    }
}
