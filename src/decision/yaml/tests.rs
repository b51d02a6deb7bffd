use super::*;
use crate::decision::json;

/// What OPA 1.20.2 makes of each text: `yaml.unmarshal`, as JSON, or `undefined`. Made by `opa eval`.
const ANSWERS: &str = include_str!("answers.txt");

fn read(text: &str) -> Result<Value, Unreadable> {
    parse(text)
}

#[test]
fn texts_have_opas_values() {
    let mut faults = Vec::new();
    for line in ANSWERS.lines().filter(|line| !line.starts_with('#')) {
        let (text, answer) = line.split_once('\t').unwrap();
        let text: String = serde_json::from_str(text).unwrap();
        let right = match (read(&text), answer) {
            (Err(fault), answer) => {
                let sure = answer == "undefined";
                fault.may_have_value == answer.ends_with(" # unsure") && (sure || fault.may_have_value)
            }
            (Ok(Value::Number(Number::Float(zero))), "-0") => zero == 0.0 && zero.is_sign_negative(),
            (Ok(value), answer) => json::parse(answer.as_bytes()) == Ok(value),
        };
        if !right {
            faults.push(format!("{text:?}: {answer}, here {:?}", read(&text)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn aliases_that_stand_for_too_much_are_refused() {
    let flat = format!("a: &a [{}]\nb: [{}]\n", "0,".repeat(10_000), "*a,".repeat(1_000));
    assert!(read(&flat).unwrap_err().may_have_value);
    let few = format!("a: &a [{}]\nb: [{}]\n", "0,".repeat(100), "*a,".repeat(100));
    assert!(read(&few).is_ok());
}
