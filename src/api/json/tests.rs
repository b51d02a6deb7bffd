use super::*;
use crate::decision::Number;

fn context(json: &str) -> Result<Value, Vec<FieldViolation>> {
    let text = format!(
        r#"{{"subject":{{"type":"u","id":"a"}},"action":{{"name":"r"}},"resource":{{"type":"d","id":"1"}},"context":{{"n":{json}}}}}"#
    );
    query(text.as_bytes()).map(|query| query.context.get("n").cloned().unwrap())
}

#[test]
fn numbers_keep_their_last_digit() {
    for (json, number) in [
        ("9007199254740993", Number::Int(9_007_199_254_740_993)),
        ("-9223372036854775808", Number::Int(i64::MIN)),
        ("18446744073709551615", Number::UInt(u64::MAX)),
        ("18446744073709551616", Number::Decimal("18446744073709551616".into())),
        ("1.0", Number::Int(1)),
        ("1e3", Number::Int(1_000)),
        ("12.50e1", Number::Int(125)),
        ("0.1", Number::Float(0.1)),
        ("0.30000000000000004", Number::Float(0.1 + 0.2)),
        ("-0.0", Number::Int(0)),
        ("1e22", Number::Decimal("10000000000000000000000".into())),
        ("1e-7", Number::Float(1e-7)),
    ] {
        assert_eq!(context(json), Ok(Value::Number(number)), "{json}");
    }
}

#[test]
fn refuses_numbers_that_nothing_holds_exactly() {
    for json in ["0.12345678901234567891", "1e400000000", "1e401", "1e-999999999999", &"9".repeat(5_000), "0.1e-399"] {
        let violations = context(json).unwrap_err();
        assert_eq!(violations[0].field, "query_json", "{json}");
        assert!(
            violations[0].description.contains("send it as a string")
                || violations[0].description.contains("is no number"),
            "{violations:?}"
        );
    }
}

#[test]
fn names_every_violated_field() {
    let fields = |json: &str| -> Vec<String> {
        query(json.as_bytes()).unwrap_err().into_iter().map(|violation| violation.field).collect()
    };
    assert_eq!(fields("{}"), ["subject", "action", "resource"]);
    assert_eq!(
        fields(r#"{"subject":{"id":""},"action":{"name":5},"resource":7,"context":[]}"#),
        ["resource", "context", "subject.type", "subject.id", "action.name"]
    );
    for json in ["", "[]", "{", "nul", "{\"subject\":{\"type\":\"a\",\"type\":\"b\"}}", "\u{0}", "{}{}"] {
        assert_eq!(fields(json), ["query_json"], "{json}");
    }
    assert_eq!(query(b"\xff\xfe").unwrap_err()[0].field, "query_json");
}

#[test]
fn holds_64_levels_and_refuses_the_65th() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(context(&nested(63)).is_ok());
    assert_eq!(context(&nested(64)).unwrap_err()[0].field, "context");
    assert_eq!(context(&nested(200_000)).unwrap_err()[0].field, "query_json");
}

#[test]
fn ignores_unknown_members() {
    assert!(
        query(
            br#"{"subject":{"type":"u","id":"a","x":1},"action":{"name":"r"},"resource":{"type":"d","id":"1"},"y":{}}"#
        )
        .is_ok()
    );
}
