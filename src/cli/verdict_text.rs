//! A verdict for people, and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};
use verdict::{
    decision::{Effect, Number, Object, Reason, Value, Verdict},
    policy::printable,
};

use super::explanation_text::{self, placed};

/// For people: the effect first, then why, then the rest. Nothing of a policy's or a question's text controls the
/// terminal.
pub(super) fn text(verdict: &Verdict, colour: bool) -> String {
    let mut out = Text { out: String::new(), colour };
    out.effect(verdict);
    for reason in &verdict.reasons {
        out.reason(reason);
    }
    for obligation in &verdict.obligations {
        let mut line = [obligation.kind.as_str(), obligation.id.as_str()].join(" ").trim().to_owned();
        if !obligation.properties.is_empty() {
            let _ = write!(line, " {}", object(&obligation.properties));
        }
        out.line("obligation", &line);
    }
    if !verdict.required_scopes.is_empty() {
        out.line("scopes", &verdict.required_scopes.join(" "));
    }
    if let Some(step_up) = &verdict.step_up {
        let age = step_up.max_age.map(|age| format!(", at most {age:?} old"));
        out.line("step up", &format!("{}{}", step_up.acr_values.join(" or "), age.unwrap_or_default()));
    }
    if !verdict.context.is_empty() {
        out.line("context", &object(&verdict.context).to_string());
    }
    if let Some(ttl) = verdict.ttl {
        out.line("ttl", &format!("{ttl:?}"));
    }
    for diagnostic in &verdict.diagnostics {
        let place = diagnostic.position.as_ref().map(|position| format!(" ({position})")).unwrap_or_default();
        out.line("diagnostic", &format!("{}: {}{place}", diagnostic.code, diagnostic.message));
    }
    out.line("asked", verdict.entry_point.as_deref().unwrap_or("nothing that exists"));
    out.line("revision", &format!("{} {}", verdict.revision.sequence, verdict.revision.digest));
    if let Some(explanation) = &verdict.explanation {
        out.out.push_str(&explanation_text::text(explanation));
    }
    out.out.trim_end().to_owned()
}

/// For programs: the members of `verdict.v1.Verdict`, in the names of its fields. Lists are always there.
pub(super) fn json(verdict: &Verdict) -> Json {
    let Verdict {
        effect,
        reasons,
        obligations,
        required_scopes,
        step_up,
        context,
        ttl,
        diagnostics,
        revision,
        entry_point: _,
        explanation,
        value: _,
    } = verdict;
    let mut out = Map::new();
    let mut add = |name: &str, value: Json| out.insert(name.to_owned(), value);
    let effect = match effect {
        Effect::Allow => "ALLOW",
        Effect::Deny => "DENY",
    };
    add("effect", effect.into());
    add("reasons", reasons.iter().map(reason_json).collect());
    let obligations = obligations.iter().map(|obligation| {
        json!({"id": obligation.id, "type": obligation.kind, "properties": object(&obligation.properties)})
    });
    add("obligations", obligations.collect());
    add("required_scopes", required_scopes.iter().map(String::as_str).collect());
    if let Some(step_up) = step_up {
        let mut members = json!({"acr_values": step_up.acr_values});
        if let (Some(age), Some(members)) = (step_up.max_age, members.as_object_mut()) {
            members.insert("max_age".to_owned(), seconds(age));
        }
        add("step_up", members);
    }
    if !context.is_empty() {
        add("context", object(context));
    }
    if let Some(ttl) = ttl {
        add("ttl", seconds(*ttl));
    }
    let diagnostics = diagnostics.iter().map(|diagnostic| {
        let out = json!({"code": diagnostic.code, "message": diagnostic.message});
        placed(out, diagnostic.position.as_ref())
    });
    add("diagnostics", diagnostics.collect());
    add("revision", json!({"sequence": revision.sequence, "digest": revision.digest.to_string()}));
    if let Some(explanation) = explanation {
        add("explanation", explanation_text::json(explanation));
    }
    Json::Object(out)
}

struct Text {
    out: String,
    colour: bool,
}

impl Text {
    fn effect(&mut self, verdict: &Verdict) {
        let (word, shade) = match verdict.effect {
            Effect::Allow => ("ALLOW", "1;32"),
            Effect::Deny => ("DENY", "1;31"),
        };
        self.out = if self.colour { format!("\u{1b}[{shade}m{word}\u{1b}[0m\n") } else { format!("{word}\n") };
    }

    /// One line, or several below each other, after a label.
    fn line(&mut self, label: &str, text: &str) {
        let text = printable(text).replace('\n', "\n              ");
        let _ = writeln!(self.out, "  {label:<11} {text}");
    }

    fn reason(&mut self, reason: &Reason) {
        let message = if reason.message.is_empty() { String::new() } else { format!(": {}", reason.message) };
        self.line("reason", &format!("{}{message}", reason.code));
        if !reason.user_message.is_empty() {
            self.line("  tells user", &reason.user_message);
        }
        if let Some(rule) = &reason.rule {
            let place = reason.position.as_ref().map(|position| format!(" at {position}")).unwrap_or_default();
            self.line("  from", &format!("{rule}{place}"));
        }
        if !reason.properties.is_empty() {
            self.line("  with", &object(&reason.properties).to_string());
        }
    }
}

fn reason_json(reason: &Reason) -> Json {
    let out = json!({
        "code": reason.code,
        "message": reason.message,
        "user_message": reason.user_message,
        "rule": reason.rule.as_deref().unwrap_or_default(),
        "properties": object(&reason.properties),
    });
    placed(out, reason.position.as_ref())
}

/// As protobuf's JSON writes a duration: `60s`, `0.5s`.
fn seconds(duration: std::time::Duration) -> Json {
    let mut text = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    Json::from(format!("{text}s"))
}

fn object(object: &Object) -> Json {
    Json::Object(object.iter().map(|(name, item)| (name.to_owned(), value(item))).collect())
}

fn value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(number) => digits(number),
        Value::String(text) => Json::from(text.as_str()),
        Value::Array(items) => items.iter().map(self::value).collect(),
        Value::Object(members) => object(members),
    }
}

fn digits(number: &Number) -> Json {
    // A domain number is JSON's, digit for digit.
    serde_json::from_str(&number.to_string()).unwrap_or(Json::Null)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use verdict::decision::{Explanation, Obligation, RuleOutcome, SourcePosition, StepUp};

    use super::*;

    fn verdict() -> Verdict {
        let position = Some(SourcePosition { file: "a\u{1b}[2J.rego".into(), line: 3, column: 1 });
        let properties: Object =
            [("n".to_owned(), Value::Number(Number::Decimal("12345678901234567890.10".into())))].into_iter().collect();
        Verdict {
            reasons: vec![Reason {
                rule: Some("data.a.deny".into()),
                position: position.clone(),
                user_message: "No\u{202e}.".to_owned(),
                ..Reason::new("no_owner", "line one\nline \u{7}two")
            }],
            obligations: vec![Obligation { id: "w".to_owned(), kind: "mark".to_owned(), properties }],
            required_scopes: vec!["a".to_owned(), "b".to_owned()],
            step_up: Some(StepUp { acr_values: vec!["mfa".to_owned()], max_age: Some(Duration::from_mins(5)) }),
            ttl: Some(Duration::from_millis(1_500)),
            explanation: Some(Box::new(Explanation {
                rules: vec![RuleOutcome { rule: "data.a.b".into(), position, value: Ok(Some("1".to_owned())) }],
                ..Explanation::default()
            })),
            ..Verdict::default()
        }
    }

    #[test]
    fn shows_everything_and_lets_nothing_control_the_terminal() {
        let shown = text(&verdict(), false);
        assert!(shown.starts_with("DENY\n"), "{shown}");
        for part in [
            "no_owner: line one",
            "data.a.deny at a␛[2J.rego:3:1",
            "mark w {\"n\":12345678901234567890.10}",
            "a b",
            "mfa, at most 300s old",
            "1.5s",
            "data.a.b = 1",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown}");
        assert!(text(&verdict(), true).starts_with("\u{1b}[1;31mDENY"));
    }

    #[test]
    fn has_the_names_of_the_wire_format() {
        let json = json(&verdict());
        assert_eq!(json["effect"], "DENY");
        assert_eq!(json["reasons"][0]["position"]["line"], 3);
        assert_eq!(json["obligations"][0]["type"], "mark");
        assert_eq!(json["obligations"][0]["properties"].to_string(), r#"{"n":12345678901234567890.10}"#);
        assert_eq!(json["ttl"], "1.5s");
        assert_eq!(json["step_up"]["max_age"], "300s");
        assert_eq!(json["explanation"]["rules"][0]["value_json"], "1");
    }
}
