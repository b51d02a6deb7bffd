//! Over random answers of a policy and random requests, the answer is never broader than the request.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::decision::Number;

const SCOPES: [&str; 5] = ["read", "write", "admin", "Read", "read write"];
const TARGETS: [&str; 4] = ["https://api", "https://other", "https://API", "https://api/"];
const NAMES: [&str; 12] = [
    "type",
    "locations",
    "actions",
    "datatypes",
    "privileges",
    "identifier",
    "amount",
    "sub",
    "SUB",
    "s\u{200b}ub",
    "exp",
    "groups",
];

fn texts(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    vec(select(of).prop_map(str::to_owned), 0..4)
}

fn list(texts: Vec<String>) -> Value {
    Value::Array(texts.into_iter().map(Value::String).collect())
}

/// Any value, of few words, so that there is much in common.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |number| Some(Value::Number(Number::from_f64(number)?))),
        select(&SCOPES[..]).prop_map(Value::from),
        select(&TARGETS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((select(&NAMES[..]), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().map(|(name, v)| (name.to_owned(), v)).collect())),
        ]
    })
}

fn entry() -> impl Strategy<Value = Object> {
    let axis = || option::of(vec(select(&SCOPES[..]), 1..3));
    let locations = option::of(vec(select(&TARGETS[..]), 1..3));
    (select(&["files", "payment"][..]), axis(), axis(), locations, option::of(0..2_i64)).prop_map(
        |(kind, actions, datatypes, locations, amount)| {
            let mut entry = Object::from_iter([("type".to_owned(), kind.into())]);
            for (name, axis) in [("actions", actions), ("datatypes", datatypes), ("locations", locations)] {
                if let Some(axis) = axis {
                    entry.insert(name.to_owned(), list(axis.into_iter().map(str::to_owned).collect()));
                }
            }
            if let Some(amount) = amount {
                entry.insert("amount".to_owned(), Value::from(amount));
            }
            entry
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let kinds = select(&["user", "client", "workload", "agent"][..]);
    let grants = select(&["authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"][..]);
    let tokens = select(&["access_token", "refresh_token"][..]);
    (
        kinds,
        grants,
        tokens,
        texts(&["read", "write"]),
        texts(&TARGETS),
        vec(entry(), 0..3),
        option::of(1..100_000_u64),
        texts(&["read", "write"]),
    )
        .prop_map(|(kind, grant, token, scopes, audience, details, lifetime, registered)| {
            let client = Client { id: "app".to_owned(), registered_scopes: registered, ..Client::default() };
            let subject = Party { kind: kind.to_owned(), id: "x".to_owned(), properties: Object::new() };
            let mut request = Request::new(GrantType::new(grant), TokenType::new(token), client, subject);
            request.scopes = scopes;
            request.audience = audience;
            request.details = details;
            request.lifetime = lifetime.map(Duration::from_secs);
            request
        })
}

/// An answer of a policy: mostly of the right form, at times of any.
fn issuance() -> impl Strategy<Value = Value> {
    let formed = (
        option::of(texts(&SCOPES)),
        option::of(texts(&TARGETS)),
        option::of(0..10_000_000_i64),
        option::of(vec(entry(), 0..4)),
        option::of(vec((select(&NAMES[..]), value()), 0..5)),
        option::of((select(&NAMES[..]), value())),
    )
        .prop_map(|(scopes, audience, lifetime, details, claims, odd)| {
            let mut members = Object::new();
            let mut put = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    members.insert(name.to_owned(), value);
                }
            };
            put("scopes", scopes.map(list));
            put("audience", audience.map(list));
            put("token_lifetime", lifetime.map(Value::from));
            put("authorization_details", details.map(|all| Value::Array(all.into_iter().map(Value::Object).collect())));
            let object = |members: Vec<(&str, Value)>| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            };
            put("claims", claims.map(object));
            if let Some((name, value)) = odd.filter(|(name, _)| name.len() == 4) {
                put(name, Some(value));
            }
            Value::Object(members)
        });
    prop_oneof![9 => formed, 1 => value()]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    (issuance(), prop::bool::weighted(0.9)).prop_map(|(issuance, allow)| Verdict {
        effect: if allow { Effect::Allow } else { Effect::Deny },
        context: Object::from_iter([("issuance".to_owned(), issuance)]),
        ..Verdict::default()
    })
}

fn items(value: Option<&Value>) -> Option<Vec<&Value>> {
    if let Some(Value::Array(items)) = value { Some(items.iter().collect()) } else { None }
}

/// Whether `entry` asks for no more than `asked`: written without the code that it checks.
fn within(entry: &Object, asked: &Object, audience: &[String]) -> bool {
    let axis = |name: &str| match (items(entry.get(name)), items(asked.get(name))) {
        (Some(got), Some(want)) => got.iter().all(|item| want.contains(item)),
        (None, want) => want.is_none(),
        (Some(got), None) if name == "locations" => {
            got.iter().all(|item| matches!(item, Value::String(text) if audience.contains(text)))
        }
        (Some(_), None) => true,
    };
    entry.get("type") == asked.get("type")
        && entry.get("amount") == asked.get("amount")
        && ["locations", "actions", "datatypes", "privileges"].into_iter().all(axis)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_is_broader_than_its_request(request in request(), subject in verdict(), actor in option::of(verdict())) {
        let config = Config {
            agent: Ceiling { scopes: Some(vec!["read".to_owned()]), ..Config::default().agent },
            workload: Ceiling { audience: Some(vec!["https://api".to_owned()]), ..Config::default().workload },
            ..Config::default()
        };
        let has_actor = actor.is_some();
        let any_deny = !subject.is_allow() || actor.as_ref().is_some_and(|actor| !actor.is_allow());
        let (verdict, answer) = settle(&request, &config, NOW, subject, actor);
        prop_assert_eq!(verdict.is_allow(), answer.allow);
        prop_assert!(!(any_deny && answer.allow));
        if !answer.allow {
            prop_assert!(answer.scopes.is_empty() && answer.audience.is_empty() && answer.details.is_empty());
            prop_assert!(answer.claims.is_empty() && answer.lifetime.is_zero() && answer.error.is_some());
            prop_assert!(!verdict.reasons.is_empty());
            return Ok(());
        }
        let agent = has_actor || request.subject.kind == "agent";
        let workload = matches!(request.subject.kind.as_str(), "client" | "workload");
        for scope in &answer.scopes {
            prop_assert!(request.scopes.contains(scope));
            prop_assert!(request.client.registered_scopes.is_empty() || request.client.registered_scopes.contains(scope));
            prop_assert!(!agent || scope == "read");
        }
        for target in &answer.audience {
            prop_assert!(request.audience.contains(target));
            prop_assert!(!workload || target == "https://api");
        }
        prop_assert!(request.lifetime.is_none_or(|asked| answer.lifetime <= asked));
        prop_assert!(answer.lifetime <= config.max_refresh_lifetime);
        prop_assert!(!agent || answer.lifetime <= config.agent.lifetime);
        prop_assert!(!workload || answer.lifetime <= config.workload.lifetime);
        prop_assert!(answer.lifetime >= Duration::from_secs(1));
        for entry in &answer.details {
            prop_assert!(request.details.iter().any(|asked| within(entry, asked, &request.audience)), "{:?}", entry);
        }
        for (name, _) in answer.claims.iter() {
            prop_assert!(["groups", "type", "locations", "actions", "datatypes", "privileges", "identifier", "amount"].contains(&name));
        }
        for scope in request.scopes.iter().filter(|scope| !answer.scopes.contains(scope)) {
            prop_assert!(answer.refused.iter().any(|refusal| refusal.scope == *scope));
        }
    }
}
