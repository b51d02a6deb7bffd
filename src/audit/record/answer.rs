//! A verdict as a value: an object as the decision contract knows it, its diagnostics, its explanation.

use crate::decision::{
    ConditionTrace, Diagnostic, Explanation, Need, Number, Object, Reason, RuleOutcome, RuleTrace, Seen,
    SourcePosition, StepUp, Value, Verdict,
};

/// The members of the decision contract. Texts of the policy stay out unless `texts`.
pub(in crate::audit) fn contract(verdict: Verdict, texts: bool) -> Value {
    let Verdict {
        effect: _,
        ref reasons,
        ref obligations,
        ref required_scopes,
        ref step_up,
        context: _,
        ttl,
        diagnostics: _,
        revision: _,
        entry_point: _,
        explanation: _,
        value: _,
    } = verdict;
    let mut members = Members::default();
    members.put("allow", Value::Bool(verdict.is_allow()));
    members.list("reasons", reasons.iter().map(|reason| self::reason(reason, texts)));
    members.list(
        "obligations",
        obligations.iter().map(|obligation| {
            let mut members = Members::default();
            members.text("id", &obligation.id);
            members.text("type", &obligation.kind);
            members.object("properties", &obligation.properties);
            members.into()
        }),
    );
    members.list("required_scopes", required_scopes.iter().map(|scope| scope.as_str().into()));
    if let Some(StepUp { acr_values, max_age }) = step_up {
        let mut step = Members::default();
        step.list("acr_values", acr_values.iter().map(|value| value.as_str().into()));
        if let Some(age) = max_age {
            step.put("max_age", seconds(*age));
        }
        members.put("step_up", step.into());
    }
    if let Some(ttl) = ttl {
        members.put("ttl", seconds(ttl));
    }
    if !verdict.context.is_empty() {
        members.put("context", Value::Object(verdict.context));
    }
    members.into()
}

fn reason(reason: &Reason, texts: bool) -> Value {
    let Reason { code, message, user_message, rule, position, properties } = reason;
    let mut members = Members::default();
    members.text("code", code);
    if texts {
        members.text("message", message);
        members.text("user_message", user_message);
    }
    members.text("rule", rule.as_deref().unwrap_or_default());
    members.position(position.as_ref());
    members.object("properties", properties);
    members.into()
}

/// What went wrong; `None` for nothing.
pub(super) fn diagnostics(diagnostics: &[Diagnostic]) -> Option<Value> {
    let item = |Diagnostic { code, message, position }: &Diagnostic| {
        let mut members = Members::default();
        members.text("code", code);
        members.text("message", message);
        members.position(position.as_ref());
        members.into()
    };
    (!diagnostics.is_empty()).then(|| Value::Array(diagnostics.iter().map(item).collect()))
}

/// Which rules fired, and what kept others from it.
pub(super) fn explanation(explanation: &Explanation) -> Value {
    let Explanation { rules, fired, missed, note } = explanation;
    let mut members = Members::default();
    members.list("rules", rules.iter().map(outcome));
    members.list("fired", fired.iter().map(trace));
    members.list("missed", missed.iter().map(trace));
    members.text("note", note);
    members.into()
}

fn outcome(RuleOutcome { rule, position, value }: &RuleOutcome) -> Value {
    let mut members = Members::default();
    members.text("rule", rule);
    members.position(position.as_ref());
    match value {
        Ok(value) => members.text("value", value.as_deref().unwrap_or_default()),
        Err(error) => members.text("error", error),
    }
    members.into()
}

fn trace(trace: &RuleTrace) -> Value {
    let RuleTrace {
        rule,
        title,
        position,
        arguments,
        value,
        conditions,
        held,
        total,
        attempts: _,
        nearness,
        needed_by,
    } = trace;
    let mut members = Members::default();
    members.text("rule", rule);
    members.text("title", title);
    members.position(position.as_ref());
    members.list("arguments", arguments.iter().map(seen));
    if let Some(value) = value {
        members.put("value", seen(value));
    }
    members.list("conditions", conditions.iter().map(condition));
    members.put("held", i64::from(*held).into());
    members.put("total", i64::from(*total).into());
    if let Some(nearness) = Number::from_f64(*nearness) {
        members.put("nearness", Value::Number(nearness));
    }
    members.list(
        "needed_by",
        needed_by.iter().map(|Need { rule, text, position }| {
            let mut members = Members::default();
            members.text("rule", rule);
            members.text("text", text);
            members.position(position.as_ref());
            members.into()
        }),
    );
    members.into()
}

fn condition(condition: &ConditionTrace) -> Value {
    let ConditionTrace { text, position, line: _, width: _, held, message, values } = condition;
    let mut members = Members::default();
    members.text("text", text);
    members.position(position.as_ref());
    members.put("held", Value::Bool(*held));
    members.text("message", message);
    members.list("values", values.iter().map(seen));
    members.into()
}

fn seen(Seen { expression, value }: &Seen) -> Value {
    let mut members = Members::default();
    members.text("expression", expression);
    members.text("value", value.as_deref().unwrap_or_default());
    members.into()
}

fn seconds(time: std::time::Duration) -> Value {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX).into()
}

/// An object in the making; what is empty is left out.
#[derive(Default)]
struct Members(Object);

impl Members {
    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.put(name, text.into());
        }
    }

    fn list(&mut self, name: &str, items: impl Iterator<Item = Value>) {
        let items: Vec<Value> = items.collect();
        if !items.is_empty() {
            self.put(name, Value::Array(items));
        }
    }

    fn object(&mut self, name: &str, object: &Object) {
        if !object.is_empty() {
            self.put(name, Value::Object(object.clone()));
        }
    }

    fn position(&mut self, position: Option<&SourcePosition>) {
        if let Some(SourcePosition { file, line, column }) = position {
            let mut members = Self::default();
            members.text("file", file);
            members.put("line", i64::from(*line).into());
            members.put("column", i64::from(*column).into());
            self.put("position", members.into());
        }
    }
}

impl From<Members> for Value {
    fn from(members: Members) -> Self {
        Self::Object(members.0)
    }
}
