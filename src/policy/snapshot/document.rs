//! The document at a path, as OPA's data API gives it: of the rules that make it and of the base data, put together by
//! names. No text is read as Rego.

use std::sync::Arc;

use regorus::Value as Rego;

use super::asked::{Asked, invalid_value};
use crate::{
    decision::{EntryPoint, Verdict},
    policy::{budget::Spent, contract, index::RuleInfo, value},
};

impl Asked<'_> {
    /// The document, and the verdict that the decision contract makes of it.
    pub(super) fn document(&mut self, entry: &EntryPoint) -> Verdict {
        self.whole(entry).and_then(|document| verdict(entry, &document)).unwrap_or_else(|verdict| *verdict)
    }

    fn whole(&mut self, entry: &EntryPoint) -> Result<Rego, Box<Verdict>> {
        let path = entry.parts();
        let rules: Vec<Arc<RuleInfo>> = self.index.around(path).cloned().collect();
        // A rule is never at the path of base data, so what is in a rule's value is in there only.
        if let [rule] = rules.as_slice()
            && path.starts_with(&rule.parts)
        {
            let value = self.value(rule)?;
            return Ok(at(&value, path.get(rule.parts.len()..).unwrap_or_default()));
        }
        let mut document = at(&self.engine.data(), path);
        for package in self.index.packages_below(path) {
            put(&mut document, package.get(path.len()..).unwrap_or_default(), Rego::new_object());
        }
        for rule in rules {
            let value = self.value(&rule)?;
            if path.starts_with(&rule.parts) {
                merge(&mut document, at(&value, path.get(rule.parts.len()..).unwrap_or_default()));
            } else {
                put(&mut document, rule.parts.get(path.len()..).unwrap_or_default(), value);
            }
        }
        if path.is_empty()
            && let Rego::Object(members) = &mut document
        {
            // As in OPA: what configures the server is no part of all data, and has to be asked for.
            Arc::make_mut(members).remove(&Rego::from("system"));
        }
        self.fitting(document, entry.as_str(), || None)
    }
}

fn verdict(entry: &EntryPoint, document: &Rego) -> Result<Verdict, Box<Verdict>> {
    if matches!(document, Rego::Undefined) {
        return Err(Box::new(contract::no_decision(format!("`{entry}` has no value for this question"))));
    }
    let value = value::to_value(document)
        .ok_or_else(|| Box::new(Spent::Stack.deny(format!("the value of `{entry}` nests too deep"), None)))?;
    let verdict = contract::verdict(document).unwrap_or_else(|error| invalid_value(entry.as_str(), &error, None));
    Ok(Verdict { value: Some(Box::new(value)), ..verdict })
}

/// What is at `path` in a value: members by their names, items of arrays by their numbers, as in the paths of OPA's
/// data API.
fn at(value: &Rego, path: &[String]) -> Rego {
    let Some((name, rest)) = path.split_first() else { return value.clone() };
    let part = match value {
        Rego::Object(members) => members.get(&Rego::from(name.as_str())),
        Rego::Array(items) => name.parse().ok().and_then(|number: usize| items.get(number)),
        Rego::Set(items) => {
            let item = Rego::from(name.as_str());
            return if items.contains(&item) { at(&item, rest) } else { Rego::Undefined };
        }
        _ => None,
    };
    part.map_or(Rego::Undefined, |part| at(part, rest))
}

/// Puts `value` at `path` into a document, beside what is there.
fn put(document: &mut Rego, path: &[String], value: Rego) {
    let nested = path.iter().rev().fold(value, |value, name| {
        if matches!(value, Rego::Undefined) {
            return value;
        }
        Rego::from(std::collections::BTreeMap::from([(Rego::from(name.as_str()), value)]))
    });
    merge(document, nested);
}

fn merge(document: &mut Rego, other: Rego) {
    match (document, other) {
        (_, Rego::Undefined) => {}
        (Rego::Object(members), Rego::Object(others)) => {
            let members = Arc::make_mut(members);
            for (name, value) in others.iter() {
                match members.get_mut(name) {
                    Some(member) => merge(member, value.clone()),
                    None => {
                        members.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (document, other) => *document = other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        api::json,
        bundle::Bundle,
        decision::{Asks, EntryPoint, Evaluator as _, Input, Query, Time, Verdict, code},
        policy::{Options, Snapshot},
    };

    const POLICY: &str = "package shop.orders\n\
                          allow if input.user == \"alice\"\n\
                          names contains name if some name in input.names\n\
                          limits.small := 1\n\
                          limits.large := 10\n\
                          items := [{\"id\": \"a\"}, {\"id\": \"b\"}]\n\
                          half(n) := n / 2\n\
                          broken := 1 if input.user == \"bob\"\n\
                          broken := 2 if input.user == \"bob\"\n";

    fn ask(path: &[&str], input: Input) -> Verdict {
        let files = [
            ("shop/orders.rego".to_owned(), POLICY.as_bytes().to_vec()),
            ("empty.rego".to_owned(), b"package shop.empty\nnever if false".to_vec()),
            ("shop/data.json".to_owned(), br#"{"name": "corner", "orders": {"known": [7]}}"#.to_vec()),
        ];
        let snapshot = Snapshot::compile(&Bundle::from_files(files).unwrap(), 1, Options::default()).unwrap();
        let entry = EntryPoint::from_parts(path.iter().map(|&part| part.to_owned()));
        let time = Time { budget: Duration::from_secs(5), patience: Duration::from_secs(5) };
        snapshot.evaluate(&Query { asks: Asks::Document, input, ..Query::default() }, &entry, time)
    }

    fn shown(path: &[&str]) -> Option<String> {
        let document = json::object(br#"{"user": "alice", "names": ["y", "x"]}"#).unwrap();
        ask(path, Input::Document(document.into())).value.map(|value| json::written(&value).to_string())
    }

    #[test]
    fn gives_what_opas_data_api_gives() {
        let orders = r#"{"allow":true,"items":[{"id":"a"},{"id":"b"}],"known":[7],"limits":{"large":10,"small":1},"names":["x","y"]}"#;
        assert_eq!(shown(&["shop", "orders"]).unwrap(), orders);
        assert_eq!(shown(&["shop"]).unwrap(), format!(r#"{{"empty":{{}},"name":"corner","orders":{orders}}}"#));
        assert_eq!(shown(&[]).unwrap(), format!(r#"{{"shop":{{"empty":{{}},"name":"corner","orders":{orders}}}}}"#));
        for (path, value) in [
            (&["shop", "orders", "allow"][..], "true"),
            (&["shop", "orders", "items", "1", "id"], "\"b\""),
            (&["shop", "orders", "limits"], r#"{"large":10,"small":1}"#),
            (&["shop", "orders", "limits", "small"], "1"),
            (&["shop", "orders", "names", "x"], "\"x\""),
            (&["shop", "orders", "known", "0"], "7"),
            (&["shop", "empty"], "{}"),
        ] {
            assert_eq!(shown(path).as_deref(), Some(value), "{path:?}");
        }
        for path in [
            &["shop", "orders", "items", "2"][..],
            &["shop", "orders", "half"],
            &["shop", "orders", "names", "z"],
            &["shop", "orders", "allow", "x"],
            &["shop", "empty", "never"],
            &["nothing"],
        ] {
            assert_eq!(shown(path), None, "{path:?}");
        }
    }

    #[test]
    fn the_effect_is_that_of_the_value() {
        let user = |name: &str| json::object(format!(r#"{{"user": "{name}"}}"#).as_bytes()).unwrap();
        let allow = ["shop", "orders", "allow"];
        assert!(ask(&allow, Input::Document(user("alice").into())).is_allow());
        for (path, input, reason) in [
            (&allow[..], Input::Undefined, code::NO_DECISION),
            (&allow, Input::Parts, code::NO_DECISION),
            (&["shop", "orders", "items"], Input::Undefined, code::INVALID_DECISION),
            (&["shop", "orders", "broken"], Input::Document(user("bob").into()), code::EVALUATION_ERROR),
            (&["shop", "orders"], Input::Document(user("bob").into()), code::EVALUATION_ERROR),
        ] {
            let verdict = ask(path, input);
            assert!(!verdict.is_allow());
            assert_eq!(verdict.reasons[0].code, reason, "{path:?}");
            assert_eq!(verdict.value.is_some(), reason == code::INVALID_DECISION, "{path:?}");
        }
    }
}
