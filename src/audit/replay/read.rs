//! A record to its question, as Verdict writes it in either encoding, and as OPA does.

use std::time::{Duration, SystemTime};

use chrono::DateTime;

use super::{Recorded, ResultOf, Said, Unrepeatable, rest};
use crate::{
    audit::{encode::SCHEMA, redact::HIDDEN},
    decision::{
        Action, Asks, Effect, EntryPoint, Input, Number, Object, Query, Resource, Subject, Value, code, credential_code,
    },
};

/// A record's members. What OPA has no place for is in `custom` there.
#[derive(Clone, Copy)]
struct Members<'r> {
    record: &'r Object,
    custom: Option<&'r Object>,
}

/// Reads the question of a record, and what was answered. `default` is asked where a question named nothing and the
/// default policy is to be another one than that which answered.
pub fn recorded(record: &Value, default: Option<&EntryPoint>) -> Result<Recorded, Unrepeatable> {
    let Value::Object(record) = record else { return Err(Unrepeatable::Malformed("it is no object")) };
    let custom = match record.get("custom") {
        Some(Value::Object(custom)) => Some(custom),
        _ => None,
    };
    let record = Members { record, custom };
    let asks = record.asks()?;
    record.is_whole(asks)?;
    let query = Query {
        policy: Some(record.entry_point(default)?),
        asks,
        strict: record.get("strict") == Some(&Value::Bool(true)),
        time: Some(record.begun()?),
        ..record.input()?
    };
    Ok(Recorded { said: record.said(asks), query })
}

impl<'r> Members<'r> {
    fn get(self, name: &str) -> Option<&'r Value> {
        self.record.get(name).or_else(|| self.custom?.get(name))
    }

    fn text(self, name: &str) -> Option<&'r str> {
        match self.get(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    fn texts(self, name: &str) -> Option<Vec<String>> {
        let Some(Value::Array(items)) = self.get(name) else { return None };
        let text = |item: &Value| match item {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        items.iter().map(text).collect()
    }

    /// Whether it is one that OPA wrote.
    fn is_of_opa(self) -> bool {
        self.get("schema").is_none() && self.get("door").is_none()
    }

    /// Whether a party of an issuance was asked about: Verdict puts the party into the question's context.
    fn is_issuance(self) -> bool {
        let member = |of: &'r Value, name: &str| match of {
            Value::Object(members) => members.get(name),
            _ => None,
        };
        let input = self.get("input");
        let action = input.and_then(|input| member(input, "action")).and_then(|action| member(action, "name"));
        let party = input.and_then(|input| member(input, "context")).and_then(|context| member(context, "party"));
        matches!(action, Some(Value::String(name)) if name.starts_with("issue:")) && party.is_some()
    }

    fn asks(self) -> Result<Asks, Unrepeatable> {
        match (self.text("schema"), self.text("asks"), self.text("door")) {
            (Some(schema), ..) if schema != SCHEMA => Err(Unrepeatable::Other(format!("`{schema}`"))),
            // Several parties are asked about, and what they are granted is cut.
            (_, _, Some("issuance")) => Err(Unrepeatable::Other("a token's issuance".to_owned())),
            _ if self.is_issuance() => Err(Unrepeatable::Other("a token's issuance".to_owned())),
            (_, Some("document"), _) | (_, None, Some("opa") | None) => Ok(Asks::Document),
            (_, Some("verdict"), _) | (_, None, Some(_)) => Ok(Asks::Verdict),
            (_, Some(other), _) => Err(Unrepeatable::Other(format!("a `{other}`"))),
        }
    }

    /// Whether nothing is gone that the question has, or that must be compared.
    fn is_whole(self, asks: Asks) -> Result<(), Unrepeatable> {
        if let Some(why) = self.text("withheld") {
            return Err(Unrepeatable::Withheld(why.to_owned()));
        }
        if self.get("token").is_some() {
            return Err(Unrepeatable::Claims);
        }
        if self.get("query").is_some() {
            return Err(Unrepeatable::Other("a query in Rego".to_owned()));
        }
        let needed = |place: &String| {
            let below =
                |part: &str| place.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            below("/input")
                || below("/token")
                || below("/result") && asks == Asks::Document
                || below("/result/reasons") && !place.ends_with("message")
        };
        let places =
            |name: &str| -> Vec<String> { self.texts(name).unwrap_or_default().into_iter().filter(needed).collect() };
        let hidden = [places("erased"), places("masked")].concat();
        if !hidden.is_empty() {
            return Err(Unrepeatable::Hidden(hidden));
        }
        let truncated = places("truncated");
        if !truncated.is_empty() {
            return Err(Unrepeatable::Truncated(truncated));
        }
        let reasons = self.texts("reasons").unwrap_or_default();
        if reasons.iter().any(|reason| reason.contains(HIDDEN)) {
            return Err(Unrepeatable::Hidden(vec!["/reasons".to_owned()]));
        }
        let is = |code: &str| reasons.iter().any(|reason| reason == code);
        if is(code::INVALID_QUERY) || credential_code::ALL.into_iter().any(is) {
            return Err(Unrepeatable::NoQuestion);
        }
        if is(code::INVALID_DECISION) && self.text("door") == Some("envoy") {
            return Err(Unrepeatable::OfTheDoor);
        }
        Ok(())
    }

    fn entry_point(self, default: Option<&EntryPoint>) -> Result<EntryPoint, Unrepeatable> {
        if let (None, Some(default), false) = (self.text("policy"), default, self.is_of_opa()) {
            return Ok(default.clone());
        }
        if let Some(named) = self.text("policy").or_else(|| self.text("entry_point")) {
            if named == "data" {
                return Ok(EntryPoint::from_parts([]));
            }
            return named.parse().map_err(|_| Unrepeatable::NoEntryPoint);
        }
        let path = self.text("path").ok_or(Unrepeatable::NoEntryPoint)?;
        Ok(EntryPoint::from_parts(path.split('/').filter(|part| !part.is_empty()).map(str::to_owned)))
    }

    /// When deciding began: that is the time that the policy was told, but for what it took to get there.
    fn begun(self) -> Result<SystemTime, Unrepeatable> {
        let text = self.text("time").or_else(|| self.text("timestamp"));
        let time = text.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let time = time.ok_or(Unrepeatable::Malformed("it has no time"))?;
        let took = self.get("duration_ns").or_else(|| match self.get("metrics") {
            Some(Value::Object(metrics)) => metrics.get("timer_server_handler_ns"),
            _ => None,
        });
        let took = match took {
            Some(Value::Number(Number::Int(nanos))) => u64::try_from(*nanos).unwrap_or_default(),
            _ => 0,
        };
        let time = SystemTime::from(time);
        Ok(time.checked_sub(Duration::from_nanos(took)).unwrap_or(time))
    }

    fn input(self) -> Result<Query, Unrepeatable> {
        let document = |input: &Value| Query { input: Input::Document(input.clone()), ..Query::default() };
        let undefined = || Query { input: Input::Undefined, ..Query::default() };
        match (self.text("input_form"), self.get("input")) {
            // Denied before there was one: its token was refused.
            (Some("question"), Some(Value::Object(parts))) if parts.get("subject").is_none() => {
                Err(Unrepeatable::NoQuestion)
            }
            (Some("question"), Some(input)) => {
                question(input).ok_or(Unrepeatable::Malformed("its input is no question"))
            }
            (Some("document"), Some(input)) => Ok(document(input)),
            (Some("undefined"), _) => Ok(undefined()),
            (Some(_), _) => Err(Unrepeatable::Malformed("its input is not there")),
            (None, Some(input)) => match self.text("door") {
                // Written before records said which it is.
                Some(door) if door != "opa" => Ok(question(input).unwrap_or_else(|| document(input))),
                _ => Ok(document(input)),
            },
            (None, None) if self.is_of_opa() || self.text("door") == Some("opa") => Ok(undefined()),
            (None, None) => Err(Unrepeatable::NoQuestion),
        }
    }

    fn said(self, asks: Asks) -> Said {
        let effect = match self.text("effect") {
            Some("allow") => Some(Effect::Allow),
            Some("deny") => Some(Effect::Deny),
            _ => None,
        };
        let reasons = self.texts("reasons").map(|mut reasons| {
            reasons.sort_unstable();
            reasons
        });
        let changed =
            |name: &str| self.texts(name).unwrap_or_default().iter().any(|place| place.starts_with("/result"));
        // Of a question that was cut, the policy's own texts are left out; so they are not compared, either.
        let whole = !changed("erased") && !changed("masked") && self.get("truncated").is_none();
        let result = match (asks, self.get("result")) {
            (Asks::Document, result) => ResultOf::Known(result.cloned()),
            (Asks::Verdict, Some(result)) if whole => ResultOf::Known(Some(rest(result.clone()))),
            (Asks::Verdict, _) => ResultOf::Unknown,
        };
        Said { effect, reasons, result }
    }
}

/// A question's parts as they were before they were written down.
fn question(input: &Value) -> Option<Query> {
    let Value::Object(input) = input else { return None };
    let part = |name: &str| match input.get(name) {
        Some(Value::Object(part)) => Some(part),
        _ => None,
    };
    let text = |part: &Object, name: &str| match part.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let object = |part: &Object, name: &str| match part.get(name) {
        Some(Value::Object(object)) => Some(object.clone()),
        None => Some(Object::new()),
        Some(_) => None,
    };
    let (subject, action, resource) = (part("subject")?, part("action")?, part("resource")?);
    let known = ["subject", "action", "resource", "context"];
    if input.iter().any(|(name, _)| !known.contains(&name)) {
        return None;
    }
    Some(Query {
        subject: Subject {
            kind: text(subject, "type")?,
            id: text(subject, "id")?,
            properties: object(subject, "properties")?,
        },
        action: Action { name: text(action, "name")?, properties: object(action, "properties")? },
        resource: Resource {
            kind: text(resource, "type")?,
            id: text(resource, "id")?,
            properties: object(resource, "properties")?,
        },
        context: object(input, "context")?,
        ..Query::default()
    })
}
