use super::*;
use crate::decision::{EntryPoint, Input, Reason, Revision};

fn read(record: &str) -> Result<Recorded, Unrepeatable> {
    recorded(&json::parse(record.as_bytes()).unwrap(), None)
}

fn record(more: &str) -> String {
    format!(
        r#"{{"schema": "verdict.decision.v1", "decision_id": "x", "time": "2026-03-03T10:00:01.000000500Z", "door": "grpc",
        "entry_point": "data.authz.decision", "asks": "verdict", "effect": "allow", "reasons": ["b", "a"],
        "result": {{"allow": true, "reasons": [{{"code": "b"}}, {{"code": "a"}}], "ttl": 5, "context": {{"n": 1.50}}}},
        "input_form": "question", "duration_ns": 1000000500,
        "input": {{"subject": {{"type": "user", "id": "a"}}, "action": {{"name": "read"}}, "resource": {{"type": "d", "id": "1"}}}}{more}}}"#
    )
}

fn verdict() -> Verdict {
    Verdict {
        effect: Effect::Allow,
        reasons: vec![Reason::new("a", "another message"), Reason::new("b", "")],
        ttl: Some(std::time::Duration::from_secs(5)),
        context: [("n".to_owned(), json::parse(b"1.50").unwrap())].into_iter().collect(),
        revision: Revision { sequence: 9, ..Revision::default() },
        ..Verdict::default()
    }
}

#[test]
fn a_question_is_what_it_was_at_its_time() {
    let recorded = read(&record("")).unwrap();
    let query = &recorded.query;
    assert_eq!(query.policy, Some("data.authz.decision".parse().unwrap()));
    assert_eq!((query.subject.id.as_str(), query.action.name.as_str(), &query.input), ("a", "read", &Input::Parts));
    let begun = chrono::DateTime::<chrono::Utc>::from(query.time.unwrap()).to_rfc3339();
    assert_eq!(begun, "2026-03-03T10:00:00+00:00");
    assert!(recorded.compare(&verdict()).is_none(), "{:?}", recorded.compare(&verdict()));
}

#[test]
fn each_kind_of_change_is_told() {
    let recorded = read(&record("")).unwrap();
    let deny = Verdict { effect: Effect::Deny, reasons: vec![Reason::new("c", "")], ..verdict() };
    let difference = recorded.compare(&deny);
    assert_eq!(difference.effect, Some((Effect::Allow, Effect::Deny)));
    let reasons = (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]);
    assert_eq!((difference.reasons, difference.members.is_empty()), (Some(reasons), true));
    let less = Verdict { ttl: None, context: Object::new(), ..verdict() };
    assert_eq!(recorded.compare(&less).members, ["context", "ttl"]);
    let twice = Verdict { reasons: vec![Reason::new("a", ""); 2], ..verdict() };
    assert!(recorded.compare(&twice).reasons.is_some());
}

#[test]
fn what_is_not_whole_is_not_put_again() {
    for (more, name) in [
        (r#", "erased": ["/input/context/ip"]"#, "hidden"),
        (r#", "masked": ["/input"]"#, "hidden"),
        (r#", "masked": ["/result/reasons/0/code"]"#, "hidden"),
        (r#", "truncated": ["/input/context"]"#, "truncated"),
        (r#", "withheld": "mask_failed""#, "withheld"),
        (r#", "token": {"iss": "x"}"#, "token_claims"),
    ] {
        assert_eq!(read(&record(more)).unwrap_err().name(), name, "{more}");
    }
    for (from, to, name) in [
        (r#"["b", "a"]"#, r#"["[redacted]"]"#, "hidden"),
        (r#"["b", "a"]"#, r#"["invalid_query"]"#, "no_question"),
        ("data.authz.decision", "[redacted]", "no_entry_point"),
        ("verdict.decision.v1", "verdict.search.v1", "no_single_decision"),
        (r#""door": "grpc""#, r#""door": "issuance""#, "no_single_decision"),
        (r#""asks": "verdict""#, r#""asks": "search""#, "no_single_decision"),
        (r#""type": "user""#, r#""type": 1"#, "malformed"),
        ("2026-", "yesterday", "malformed"),
    ] {
        assert_eq!(read(&record("").replace(from, to)).unwrap_err().name(), name, "{to}");
    }
    // What was hidden in the result is not compared; the rest is.
    let recorded = read(&record(r#", "masked": ["/result/reasons/0/message", "/result/ttl"]"#)).unwrap();
    assert!(recorded.compare(&Verdict { ttl: None, ..verdict() }).is_none());
}

#[test]
fn documents_and_what_opa_wrote_are_read() {
    let opa = r#"{"decision_id": "x", "timestamp": "2026-03-03T10:00:00Z", "path": "a/b", "input": {"x": 1}, "result": {"y": [1]}}"#;
    let recorded = read(opa).unwrap();
    assert_eq!(recorded.query.policy, Some(EntryPoint::from_parts(["a".to_owned(), "b".to_owned()])));
    assert_eq!((recorded.query.asks, matches!(recorded.query.input, Input::Document(_))), (Asks::Document, true));
    let document = |text: &[u8]| Verdict { value: Some(Box::new(json::parse(text).unwrap())), ..Verdict::default() };
    assert!(recorded.compare(&document(br#"{"y": [1]}"#)).is_none());
    assert_eq!(recorded.compare(&document(br#"{"y": [1, 2]}"#)).members, ["document"]);
    assert_eq!(recorded.compare(&Verdict::default()).members, ["document"]);
    assert_eq!(
        read(&opa.replace("\"path\": \"a/b\"", "\"query\": \"data.a\"")).unwrap_err().name(),
        "no_single_decision"
    );
    assert_eq!(
        read(&opa.replace("{\"y\"", "{}, \"erased\": [\"/result/z\"], \"q\": {\"y\"")).unwrap_err().name(),
        "hidden"
    );
}

#[test]
fn a_default_policy_is_asked_where_none_was_named() {
    let default = "data.other".parse().unwrap();
    let named = record(r#", "policy": "data.authz""#);
    for (text, asked) in [(record(""), "data.other"), (named, "data.authz")] {
        let recorded = recorded(&json::parse(text.as_bytes()).unwrap(), Some(&default)).unwrap();
        assert_eq!(recorded.query.policy.unwrap().as_str(), asked);
    }
}
