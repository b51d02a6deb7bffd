//! Differences that are known and written down (`docs/conformance.md`), each told from any other by a test of its own.
//!
//! None may open anything: where ours holds and OPA's does not, it is never known, unless OPA says that it failed
//! itself, or decimals alone make the difference (which doubles are equal), or OPA agrees where `true` is written `1 == 1`.

use serde_json::Value;

use super::{
    compare::{self, Class, Difference},
    oracle::{Opa, Said},
    ours::Ours,
};

/// What OPA was asked, and what came of it.
pub(crate) struct Asked<'a> {
    pub(crate) policy: &'a str,
    pub(crate) input: Option<&'a str>,
    pub(crate) difference: &'a Difference,
}

/// The row of the table that says why; `None` for a difference that nothing explains. OPA has the policy loaded, before
/// and after.
pub(crate) fn reason(opa: &mut Opa, asked: &Asked<'_>) -> Option<&'static str> {
    if asked.difference.opa == Said::Error("eval_internal_error".to_owned()) {
        return Some("a fault in OPA itself");
    }
    // A difference that opens may come of decimals, but not of integers, which are exact.
    let kept = opens(asked.difference);
    let plain = (plain_numbers(asked.policy, kept), asked.input.map(|input| plain_numbers(input, kept)));
    if is_gone(opa, asked, (&plain.0, plain.1.as_deref())) {
        return Some("numbers that are no integers, or are longer than a double");
    }
    if is_gone(opa, asked, (&asked_for(asked.policy), asked.input)) {
        return Some("a body that is only `true`, with a `with` or a `not`");
    }
    if kept {
        return None;
    }
    if asked.difference.class == Class::Error {
        // An error of ours of just that kind, so a deny.
        if matches!(&asked.difference.ours, Said::Error(error) if error.contains("a number that is not whole has too many digits"))
        {
            return Some("numbers that are no integers, or are longer than a double");
        }
        if matches!(&asked.difference.ours, Said::Error(error) if error.contains("the text would have bytes that are not UTF-8"))
        {
            return Some("texts of bytes that are not UTF-8");
        }
        if is_out_of_order(asked.difference) {
            return Some("a condition that needs what a later one gives a value");
        }
        if matches!(&asked.difference.ours, Said::Error(error) if error.contains("eval_conflict_error: an object has the key"))
        {
            return Some("an object with two equal keys");
        }
        if is_elsewhere(opa, asked) || is_in_later_argument(opa, asked) || is_of_a_call_not_asked(opa, asked) {
            return Some("an error in what OPA does not come to ask");
        }
    }
    let json = asked.policy.replace("yaml.marshal(", "json.marshal(");
    if asked.policy.contains("yaml.marshal(") && is_gone(opa, asked, (&json, asked.input)) {
        return Some("the quotes of `yaml.marshal`");
    }
    None
}

/// The policy with a `true` that OPA must ask.
fn asked_for(policy: &str) -> String {
    let policy = policy.replace("true with ", "1 == 1 with ");
    ["\n", " }", "; "]
        .iter()
        .fold(policy, |policy, end| policy.replace(&format!("not true{end}"), &format!("not 1 == 1{end}")))
}

/// Whether ours holds where OPA's does not.
fn opens(difference: &Difference) -> bool {
    let holds = |said: &Said| matches!(said, Said::Value(Some(value)) if *value != Value::Bool(false));
    holds(&difference.ours) && !holds(&difference.opa)
}

/// Whether there is no difference any more with another policy or input that differs from the one that was asked.
fn is_gone(opa: &mut Opa, asked: &Asked<'_>, (policy, input): (&str, Option<&str>)) -> bool {
    if policy == asked.policy && input == asked.input {
        return false;
    }
    let rule = &asked.difference.rule;
    let gone = match (opa.load(policy), Ours::load(policy)) {
        (Ok(()), Ok(ours)) => {
            let theirs = opa.ask(&format!("g/{rule}"), input);
            compare::difference(rule, theirs, ours.rule(rule, input)).is_none()
        }
        _ => false,
    };
    let _ = opa.load(asked.policy);
    gone
}

/// Whether ours is the error of a variable without a value, which the static gate found to get one.
fn is_out_of_order(difference: &Difference) -> bool {
    matches!(&difference.ours, Said::Error(error) if error.contains(" is unsafe (path ["))
}

/// Whether our error is one of a rule that errs in OPA, too, where it is asked alone: ours names the place.
fn is_elsewhere(opa: &mut Opa, asked: &Asked<'_>) -> bool {
    let Said::Error(error) = &asked.difference.ours else { return false };
    let line = error.split("g.rego:").nth(1).and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
    let Some(line) = line else { return false };
    let lines: Vec<&str> = asked.policy.lines().take(line).collect();
    let Some(head) = lines.iter().rev().map(|line| line.trim_start_matches("default ")).find(|l| l.starts_with('r'))
    else {
        return false;
    };
    let name: String = head.chars().take_while(|letter| letter.is_alphanumeric()).collect();
    let function = head.get(name.len()..).is_some_and(|rest| rest.starts_with('('));
    name != asked.difference.rule
        && !function
        && (matches!(opa.ask(&format!("g/{name}"), asked.input), Said::Error(_))
            || opa.errs_in_full(asked.policy, &name, asked.input))
}

/// Whether our error is that of a function with two values, which has them in OPA, too, where it is called alone: OPA does
/// not come to call it where an argument before it has no value.
fn is_in_later_argument(opa: &Opa, asked: &Asked<'_>) -> bool {
    let Said::Error(error) = &asked.difference.ours else { return false };
    let errs = |call: &String| {
        opa.errors_in_full(asked.policy, call, asked.input).iter().any(|code| code == "eval_conflict_error")
    };
    match conflicting_call(error, asked.policy) {
        Some(call) => errs(&call),
        None => calls_of_head(error, asked.policy).iter().any(errs),
    }
}

/// Whether our error is that of a function with two values, and there is none where the function has one definition, with
/// OPA's answer the same as with all: OPA does not come to call it.
fn is_of_a_call_not_asked(opa: &mut Opa, asked: &Asked<'_>) -> bool {
    let Said::Error(error) = &asked.difference.ours else { return false };
    let call = conflicting_call(error, asked.policy);
    let calls = call.map_or_else(|| calls_of_head(error, asked.policy), |call| vec![call]);
    let names: Vec<&str> = calls.iter().filter_map(|call| call.split('(').next()).collect();
    let rule = &asked.difference.rule;
    names.into_iter().flat_map(|name| with_one_definition(asked.policy, name)).any(|policy| {
        let (Ok(()), Ok(ours)) = (opa.load(&policy), Ours::load(&policy)) else {
            let _ = opa.load(asked.policy);
            return false;
        };
        let theirs = opa.ask(&format!("g/{rule}"), asked.input);
        let _ = opa.load(asked.policy);
        let same = compare::difference(rule, theirs.clone(), asked.difference.opa.clone()).is_none();
        same && compare::difference(rule, theirs, ours.rule(rule, asked.input)).is_none()
    })
}

/// The policy with each definition of a function as its only one.
fn with_one_definition(policy: &str, name: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for line in policy.lines() {
        match statements.last_mut() {
            Some(last) if !line.starts_with('r') && !line.starts_with("default ") => *last = format!("{last}\n{line}"),
            _ => statements.push(line.to_owned()),
        }
    }
    let is_own = |statement: &str| statement.strip_prefix(name).is_some_and(|rest| rest.starts_with('('));
    let own: Vec<usize> = (0..statements.len()).filter(|at| is_own(&statements[*at])).collect();
    if own.len() < 2 {
        return Vec::new();
    }
    let only = |kept: &usize| {
        let all = statements.iter().enumerate().filter(|(at, one)| at == kept || !is_own(one));
        all.map(|(_, one)| one.as_str()).collect::<Vec<_>>().join("\n")
    };
    own.iter().map(only).collect()
}

/// The calls in the head of the rule in which an error says that a function has two values: what a head asks is asked at
/// the end of the body, and has its place there.
fn calls_of_head(error: &str, policy: &str) -> Vec<String> {
    let Some((line, _)) = conflict(error) else { return Vec::new() };
    let lines: Vec<&str> = policy.lines().take(line).collect();
    let Some(head) = lines.iter().rev().find(|line| line.starts_with('r')) else { return Vec::new() };
    let head = head.split(" if ").next().unwrap_or_default();
    // The first parenthesis of a function's own head is none of a call.
    let calls = head.match_indices('(').filter_map(|(open, _)| call_at(head, open));
    calls.filter(|call| !head.starts_with(call.as_str())).collect()
}

/// The call at which an error says that a function has two values.
fn conflicting_call(error: &str, policy: &str) -> Option<String> {
    let (line, column) = conflict(error)?;
    let line = policy.lines().nth(line.checked_sub(1)?)?;
    // The place is that of the opening parenthesis.
    call_at(line, line.char_indices().nth(column.checked_sub(1)?)?.0)
}

/// The line and the column at which an error says that a function has two values.
fn conflict(error: &str) -> Option<(usize, usize)> {
    let place =
        error.split("g.rego:").nth(1).filter(|_| error.contains("functions must not produce multiple outputs"))?;
    let mut numbers = place.split(':').map(str::parse::<usize>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The call whose arguments open there.
fn call_at(line: &str, open: usize) -> Option<String> {
    let (before, arguments) = line.split_at(open);
    if !arguments.starts_with('(') {
        return None;
    }
    let name = before.rsplit(|letter: char| !letter.is_alphanumeric()).next()?;
    let mut depth = 0_usize;
    let end = arguments.find(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })?;
    Some(format!("{name}{}", arguments.get(..=end)?))
}

/// The text with every number that is no integer of at most 15 digits (or none at all, where integers are `kept`) made a
/// short one. Texts in it stay.
fn plain_numbers(text: &str, kept: bool) -> String {
    let (mut out, mut quoted, mut rest) = (String::new(), None, text);
    while let Some(letter) = rest.chars().next() {
        let word: usize = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
        let length = match quoted {
            Some('"') if letter == '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            Some(quote) => {
                if letter == quote {
                    quoted = None;
                }
                letter.len_utf8()
            }
            None if matches!(letter, '"' | '`') => {
                quoted = Some(letter);
                1
            }
            None if letter.is_ascii_digit() => {
                let end = number_length(rest);
                let (digits, _) = rest.split_at(end);
                let short = (kept || digits.len() <= 15) && digits.bytes().all(|byte| byte.is_ascii_digit());
                let whole: String = digits.chars().take_while(char::is_ascii_digit).take(3).collect();
                // Not to zero, which has a sign here.
                out += if short {
                    digits
                } else if whole == "0" {
                    "1"
                } else {
                    &whole
                };
                rest = &rest[end..];
                continue;
            }
            None => word.max(letter.len_utf8()),
        };
        out += &rest[..length];
        rest = &rest[length..];
    }
    out
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
        }
    }
    end
}

#[test]
fn numbers_are_made_plain_outside_of_texts() {
    let text = "x2 := 1.50 + 1e400 - 7 if input[12345678901234567890] == \"1.5\\\" 2.5\" # -0.1\n";
    assert_eq!(plain_numbers(text, false), "x2 := 1 + 1 - 7 if input[123] == \"1.5\\\" 2.5\" # -1\n");
    assert!(plain_numbers(text, true).contains("[12345678901234567890]"));
}

#[test]
fn a_call_is_found_by_its_place() {
    let policy = "package g\n\tf(json.unmarshal(input.a), r0((1), [2]))";
    let error = "g.rego:2:31: functions must not produce multiple outputs for same inputs";
    assert_eq!(conflicting_call(error, policy).unwrap(), "r0((1), [2])");
    assert!(conflicting_call("g.rego:2:31: rule conflicts", policy).is_none());
    let policy = "package g\nr2(x) := r0(r1(input.a), r1(1)) if {\n\tevery _ in [] { input.a }\n}";
    let error = "g.rego:3:27: functions must not produce multiple outputs for same inputs";
    assert!(conflicting_call(error, policy).is_none());
    assert_eq!(calls_of_head(error, policy), ["r0(r1(input.a), r1(1))", "r1(input.a)", "r1(1)"]);
}

#[test]
fn a_function_is_left_with_one_definition() {
    let policy = "package g\n\nr0(1) := 1 if {\n\tinput\n}\nr0(p0) := 2\n\nr1 := r0(1)\n";
    let kept = with_one_definition(policy, "r0");
    assert_eq!(kept.len(), 2);
    assert!(kept[0].contains("input") && !kept[0].contains("r0(p0)") && kept[0].contains("r1 := r0(1)"));
    assert!(!kept[1].contains("input") && kept[1].contains("r0(p0) := 2"));
    assert!(with_one_definition(policy, "r1").is_empty());
}

#[test]
fn what_opens_is_never_known() {
    let said = |ours: Value, opa: Option<Value>| Difference {
        class: Class::Value,
        rule: "r".to_owned(),
        opa: Said::Value(opa),
        ours: Said::Value(Some(ours)),
    };
    assert!(opens(&said(true.into(), None)) && opens(&said(1.into(), Some(false.into()))));
    assert!(!opens(&said(false.into(), None)) && !opens(&said(2.into(), Some(1.into()))));
}
