use super::*;

fn with(value: Value) -> Question {
    let mut question = Question::may(("user", "alice"), "read", ("document", "handbook"));
    question.query.context.insert("n".into(), value);
    question
}

#[test]
fn numbers_that_a_double_does_not_hold_go_as_json() {
    let sent = check(&with(Value::from(7))).unwrap();
    assert!(sent.query_json.is_empty() && sent.context.is_some());
    let decimal = Value::Array(vec![Value::Number(Number::Decimal("0.10000000000000000001".into()))]);
    for (value, digits) in [
        (Value::from(9_007_199_254_740_993), "9007199254740993"),
        (Value::Number(Number::UInt(u64::MAX)), "18446744073709551615"),
        (decimal, "[0.10000000000000000001]"),
    ] {
        let sent = check(&with(value)).unwrap();
        assert_eq!((sent.subject, sent.action, sent.resource, sent.context), (None, None, None, None));
        let json = String::from_utf8(sent.query_json).unwrap();
        assert!(json.contains(&format!(r#""context":{{"n":{digits}}}"#)) && json.contains(r#""id":"alice""#), "{json}");
    }
}

#[test]
fn what_would_arrive_as_something_else_is_not_sent() {
    for value in [
        Value::Number(Number::Float(f64::NAN)),
        Value::Array(vec![Value::from(9_007_199_254_740_993), Value::Number(Number::Float(f64::INFINITY))]),
        Value::Number(Number::Decimal("1,5".into())),
    ] {
        assert_eq!(check(&with(value)), Err(InvalidQuestion::Number));
    }
    let plain = with(Value::from(7));
    let query = |query: Query| check(&Question::from(query)).unwrap_err();
    assert_eq!(query(Query { token: Some(Object::new()), ..plain.query.clone() }), InvalidQuestion::Token);
    assert_eq!(query(Query { strict: true, ..plain.query.clone() }), InvalidQuestion::OtherDoor);
    assert_eq!(query(Query { input: Input::Undefined, ..plain.query.clone() }), InvalidQuestion::OtherDoor);
    assert_eq!(query(Query { asks: Asks::Document, ..plain.query.clone() }), InvalidQuestion::OtherDoor);
    let zero = Question { at: At::Revision(0), ..plain.clone() };
    assert_eq!(check(&zero), Err(InvalidQuestion::Revision));
    let two = [plain.clone(), Question { at: At::Revision(2), ..plain }];
    assert_eq!(batch(&two), Err(InvalidQuestion::Revisions));
}

#[test]
fn a_credential_stands_for_a_subject_that_is_not_given() {
    let mut question = Question::bearer("secret", "read", ("document", "handbook"));
    assert!(!format!("{question:?}").contains("secret"));
    let sent = check(&question).unwrap();
    assert_eq!(sent.subject, None);
    assert_eq!(sent.credential.unwrap().token, "secret");
    question.query.context.insert("n".into(), Value::Number(Number::UInt(u64::MAX)));
    let sent = check(&question).unwrap();
    assert!(sent.credential.is_some() && !String::from_utf8(sent.query_json).unwrap().contains("subject"));
    question.query.subject.kind = "user".into();
    assert!(String::from_utf8(check(&question).unwrap().query_json).unwrap().contains("subject"));
}
