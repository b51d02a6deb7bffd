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

#[test]
fn aliases_are_refused_where_opa_finds_them_too_many() {
    for (items, aliases, holds) in [(200, 300, false), (500, 200, false), (100, 90, true), (20, 40, true)] {
        let text = format!("a: &a [{}]\nb: [{}]\n", "0,".repeat(items), "*a,".repeat(aliases));
        assert_eq!(read(&text).is_ok(), holds, "{items} {aliases}");
    }
}

/// With the square of its size, each would take minutes.
#[test]
fn a_text_takes_time_that_grows_with_its_size() {
    let many = 100_000;
    let anchors: Vec<_> = (0..many).map(|number| format!("&a{number}")).collect();
    let texts = [
        "- !a,\n".repeat(many),
        format!("[{}]", anchors.join(",")),
        "- &a 1\n".repeat(many),
        format!("- {}*a", "&a".repeat(many)),
        format!("- {} *a", "&a ".repeat(many)),
        "a: 1\n".repeat(many),
        "[ ".repeat(many),
        "# c\n".repeat(many) + "<<: {a: 1}\n",
        format!("{{{}}}", "<<: {a: 1},".repeat(many / 10)),
        "<<: {a: 1}\n".repeat(many / 10),
        "- a?b!\n".repeat(many),
    ];
    for text in texts {
        let start = std::time::Instant::now();
        let _ = read(&text);
        assert!(start.elapsed().as_secs() < 60, "{text:.20}");
    }
}
