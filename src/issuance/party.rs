//! Who is asked about, and the question that the policy gets for it.

use super::{
    answer::seconds,
    request::{Actor, Authentication, Binding, Client, MAX_ACTORS, Party, Request, texts},
};
use crate::decision::{Action, EntryPoint, Number, Object, Query, Resource, Subject, Value};

/// Whose rights are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that the token stands for.
    Subject,
    /// The one that gets it.
    Actor,
}

/// The party that would act for the subject; `None` where the subject gets its own token.
pub(super) fn acting(request: &Request) -> Option<Party> {
    match &request.actor {
        Some(actor) => Some(actor.party.clone()),
        // Who exchanges a token without naming an actor asks for itself (AuthZEN Binding for OAuth 2.0 Token Exchange,
        // "Requesting Party").
        None if request.grant.is_exchange() => {
            let client = request.client_party();
            let same = (&client.kind, &client.id) == (&request.subject.kind, &request.subject.id);
            (!same).then_some(client)
        }
        None => None,
    }
}

/// The question about one party.
pub(super) fn query(request: &Request, side: Side, acting: Option<&Party>, policy: &EntryPoint) -> Query {
    let asked = match (side, acting) {
        (Side::Actor, Some(acting)) => acting,
        _ => &request.subject,
    };
    let mut properties = asked.properties.clone();
    if side == Side::Subject {
        authenticated(&request.authentication, &mut properties);
    }
    let mut context = request.context.clone();
    let mut put = |name: &str, value: Value| context.insert(name.to_owned(), value);
    put("party", if side == Side::Subject { "subject" } else { "actor" }.into());
    put("client", client(&request.client));
    put("consent", Value::Object(Object::from_iter([("scopes".to_owned(), texts(&request.consent))])));
    if let Some(actor) = &request.actor {
        put("actor", nested(actor, MAX_ACTORS));
        put("actors", Value::Array(request.actors().take(MAX_ACTORS).map(party).collect()));
    } else if let Some(acting) = acting {
        put("actor", party(acting));
        put("actors", Value::Array(vec![party(acting)]));
    }
    if side == Side::Actor {
        let mut subject = request.subject.clone();
        authenticated(&request.authentication, &mut subject.properties);
        put("on_behalf_of", party(&subject));
    }
    let token = request.token.short().to_owned();
    let action = Object::from_iter([
        ("grant_type".to_owned(), request.grant.given().into()),
        ("token_type".to_owned(), request.token.given().into()),
    ]);
    Query {
        subject: Subject { kind: asked.kind.clone(), id: asked.id.clone(), properties },
        action: Action { name: format!("issue:{token}:{}", request.grant.short()), properties: action },
        resource: Resource { kind: "token".to_owned(), id: token, properties: wanted(request) },
        context,
        policy: Some(policy.clone()),
        ..Query::default()
    }
}

/// What the token is to have.
fn wanted(request: &Request) -> Object {
    let mut members = Object::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("scopes", texts(&request.scopes));
    put("audience", texts(&request.audience));
    put("authorization_details", Value::Array(request.details.iter().cloned().map(Value::Object).collect()));
    if let Some(lifetime) = request.lifetime {
        put("lifetime_seconds", seconds(lifetime));
    }
    let Binding { jkt, x5t_s256 } = &request.binding;
    let mut binding = Object::new();
    for (name, thumbprint) in [("jkt", jkt), ("x5t#S256", x5t_s256)] {
        if let Some(thumbprint) = thumbprint {
            binding.insert(name.to_owned(), thumbprint.as_str().into());
        }
    }
    if !binding.is_empty() {
        put("cnf", Value::Object(binding));
    }
    members
}

fn authenticated(authentication: &Authentication, properties: &mut Object) {
    let Authentication { acr, amr, auth_time, session } = authentication;
    // What an attribute of the same name says is not what was verified.
    for name in ["acr", "amr", "auth_time", "session"] {
        properties.remove(name);
    }
    let mut put = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    if let Some(acr) = acr {
        put("acr", acr.as_str().into());
    }
    if !amr.is_empty() {
        put("amr", texts(amr));
    }
    if let Some(time) = auth_time {
        put("auth_time", Value::Number(Number::UInt(*time)));
    }
    if let Some(session) = session {
        put("session", session.as_str().into());
    }
}

fn client(client: &Client) -> Value {
    let Client { id, authentication_method, registered_scopes, attributes } = client;
    Value::Object(Object::from_iter([
        ("id".to_owned(), id.as_str().into()),
        ("authentication_method".to_owned(), authentication_method.as_str().into()),
        ("registered_scopes".to_owned(), texts(registered_scopes)),
        ("attributes".to_owned(), Value::Object(attributes.clone())),
    ]))
}

fn party(Party { kind, id, properties }: &Party) -> Value {
    Value::Object(members(kind, id, properties))
}

fn members(kind: &str, id: &str, properties: &Object) -> Object {
    Object::from_iter([
        ("type".to_owned(), kind.into()),
        ("id".to_owned(), id.into()),
        ("properties".to_owned(), Value::Object(properties.clone())),
    ])
}

/// A chain, as far as any is allowed: what is longer is denied, and must not make a value that nests without end.
fn nested(Actor { party, before }: &Actor, most: usize) -> Value {
    let mut members = members(&party.kind, &party.id, &party.properties);
    if let Some(before) = before
        && most > 1
    {
        members.insert("actor".to_owned(), nested(before, most - 1));
    }
    Value::Object(members)
}
