//! What verifications of tokens ask the registry: whether a token is revoked, and what was said of whom it names.

use std::sync::atomic::Ordering;

use super::{
    entry::Kind,
    force::Age,
    registry::{Inner, Registry},
};
use crate::{
    decision::{Number, Object, Value},
    identity::Revocations,
};

/// What signals are about, in the words of policies, and the claims that name it.
const ABOUT: [(&str, Kind, &[&str]); 6] = [
    ("subject", Kind::Subject, &["sub"]),
    ("session", Kind::Session, &["sid"]),
    ("token", Kind::Token, &["jti"]),
    ("client", Kind::Client, &["client_id", "azp"]),
    ("device", Kind::Device, &["device_id", "deviceid"]),
    ("tenant", Kind::Group, &["tenant_id", "tid"]),
];

impl Revocations for Registry {
    fn is_revoked(&self, issuer: &str, claims: &Object) -> bool {
        let inner = &self.0;
        if inner.force.total() == 0 {
            return false;
        }
        let issuers = inner.issuers.load();
        let issuer = named(&issuers, issuer, claims);
        let age = Age { issued: second(claims, "iat").unwrap_or_default(), authenticated: second(claims, "auth_time") };
        let is = |kind, value: Option<&str>| value.is_some_and(|value| inner.revokes(kind, issuer, value, age));
        is(Kind::Token, text(claims, "jti"))
            || is(Kind::Session, text(claims, "sid"))
            || is(Kind::Subject, text(claims, "sub"))
            || is(Kind::Client, text(claims, "client_id"))
            || is(Kind::Client, text(claims, "azp"))
            || is(Kind::Everything, Some(""))
            || inner.revokes_identifier(issuer, claims, age)
            || inner.revokes_actor(issuer, claims, age)
    }

    fn signals(&self, issuer: &str, claims: &Object) -> Object {
        let inner = &self.0;
        if !inner.signalled.load(Ordering::Relaxed) {
            return Object::new();
        }
        let issuers = inner.issuers.load();
        let issuer = named(&issuers, issuer, claims);
        let said = |kind, value: &str| inner.said(kind, issuer, value);
        let mut all = Object::new();
        for (member, kind, names) in ABOUT {
            let mut of = Object::new();
            for value in names.iter().filter_map(|name| text(claims, name)) {
                let tenant = format!("tenant:{value}");
                let value = if kind == Kind::Group { &tenant } else { value };
                merge(&mut of, said(kind, value));
            }
            if kind == Kind::Subject {
                for value in identifiers(claims) {
                    merge(&mut of, said(Kind::Identifier, &value));
                }
            }
            if !of.is_empty() {
                all.insert(member.to_owned(), Value::Object(of));
            }
        }
        all
    }

    fn epoch(&self) -> u64 {
        Registry::epoch(self)
    }
}

impl Inner {
    /// Whether a token of that age is revoked by what is held of that thing.
    fn revokes(&self, kind: Kind, issuer: &str, value: &str, age: Age) -> bool {
        self.force.has(kind)
            && self.force.revokes(self.keys.target(kind, issuer, value), age, &|| {
                u32::try_from(self.now()).unwrap_or(u32::MAX - 1)
            })
    }

    fn revokes_identifier(&self, issuer: &str, claims: &Object, age: Age) -> bool {
        self.force.has(Kind::Identifier)
            && identifiers(claims).iter().any(|value| self.revokes(Kind::Identifier, issuer, value, age))
    }

    /// Whether anyone in the chain is revoked, under the issuer that the actor names or the token's.
    fn revokes_actor(&self, issuer: &str, claims: &Object, age: Age) -> bool {
        let Some(Value::Array(actors)) = claims.get("actors") else { return false };
        actors.iter().any(|actor| {
            let Value::Object(actor) = actor else { return false };
            let its = text(actor, "iss").unwrap_or(issuer);
            let is = |kind, name| text(actor, name).is_some_and(|value| self.revokes(kind, its, value, age));
            is(Kind::Actor, "sub") || is(Kind::Actor, "client_id") || is(Kind::Client, "client_id")
        })
    }
}

/// Adds what was said of one who is known by several names; of the same attribute, the later stays.
fn merge(all: &mut Object, more: Option<Object>) {
    let at = |value: &Value| match value {
        Value::Object(members) => second(members, "at"),
        _ => None,
    };
    for (name, value) in more.into_iter().flatten() {
        if all.get(&name).is_none_or(|known| at(known) <= at(&value)) {
            all.insert(name, value);
        }
    }
}

/// The issuer as its tokens name it.
fn named<'a>(issuers: &'a [(String, String)], issuer: &'a str, claims: &'a Object) -> &'a str {
    let known = issuers.iter().find(|(name, _)| name == issuer).map(|(_, its)| its.as_str());
    known.or_else(|| text(claims, "iss")).unwrap_or(issuer)
}

/// By what else a token's claims say who somebody is.
pub(super) fn identifiers(claims: &Object) -> Vec<String> {
    let email = text(claims, "email").map(|email| format!("email:{}", email.to_lowercase()));
    let phone = text(claims, "phone_number").map(|phone| format!("phone:{phone}"));
    let uri = text(claims, "sub").filter(|sub| sub.contains(':')).map(|uri| format!("uri:{uri}"));
    email.into_iter().chain(phone).chain(uri).collect()
}

fn text<'a>(claims: &'a Object, name: &str) -> Option<&'a str> {
    match claims.get(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// A time in whole seconds; `None` where there is none that can be believed.
fn second(claims: &Object, name: &str) -> Option<u32> {
    match claims.get(name)? {
        Value::Number(Number::Int(number)) => Some(u32::try_from(*number).unwrap_or_default()),
        Value::Number(number) => {
            let seconds = number.to_f64();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds, checked here")]
            (0.0..4_294_967_295.0).contains(&seconds).then_some(seconds as u32)
        }
        _ => None,
    }
}
