//! The question: who would get a token, by which grant, with what in it.

use std::time::Duration;

use super::names::{GrantType, TokenType};
use crate::decision::{Object, Value};

/// The most scopes that a request names.
const MAX_SCOPES: usize = 256;
/// The most targets.
const MAX_AUDIENCE: usize = 64;
/// The most entries of `authorization_details`.
pub(super) const MAX_DETAILS: usize = 64;
/// The most actors in a chain that `issuance.max_actor_depth` can allow.
pub const MAX_ACTORS: usize = 16;
/// The longest scope, identifier or name, in bytes.
const MAX_TEXT: usize = 2_048;

/// Members of the circumstances that Verdict itself sets.
pub(super) const OWN_CONTEXT: [&str; 6] = ["party", "client", "actor", "actors", "on_behalf_of", "consent"];

/// A field of a request, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, e.g. `subject.id`.
    pub field: String,
    /// What is wrong, for people.
    pub fault: String,
}

/// Somebody who takes part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Party {
    /// `user`, `client`, `workload`, `agent` …
    pub kind: String,
    /// Its identifier: of the subject, the one that the token is to carry.
    pub id: String,
    /// Attributes.
    pub properties: Object,
}

/// How the subject was authenticated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// The context class that was reached.
    pub acr: Option<String>,
    /// The methods (RFC 8176).
    pub amr: Vec<String>,
    /// When, in seconds since the epoch.
    pub auth_time: Option<u64>,
    /// The session.
    pub session: Option<String>,
}

/// The client that asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Client {
    /// Its identifier; empty where it is not told.
    pub id: String,
    /// How it was authenticated at the token endpoint; empty where that is not known.
    pub authentication_method: String,
    /// The scopes that it is registered for. If there is one, no other is granted.
    pub registered_scopes: Vec<String>,
    /// Attributes.
    pub attributes: Object,
}

/// Who acts (RFC 8693 §4.1), and for whom it acts in turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actor {
    /// Who.
    pub party: Party,
    /// Who acted before it, and is its principal.
    pub before: Option<Box<Actor>>,
}

/// To what the token is to be bound (RFC 9449 §6, RFC 8705 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// The thumbprint of a `DPoP` key whose proof was verified.
    pub jkt: Option<String>,
    /// The thumbprint of the client's certificate.
    pub x5t_s256: Option<String>,
}

/// A question of issuance.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The grant.
    pub grant: GrantType,
    /// What is to be issued.
    pub token: TokenType,
    /// Who asks for it.
    pub client: Client,
    /// Whom the token is to stand for.
    pub subject: Party,
    /// How the subject was authenticated.
    pub authentication: Authentication,
    /// Who acts for the subject.
    pub actor: Option<Actor>,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
    /// What is asked for in detail (RFC 9396).
    pub details: Vec<Object>,
    /// The targets: `resource` (RFC 8707) and `audience` (RFC 8693).
    pub audience: Vec<String>,
    /// The lifetime that is asked for.
    pub lifetime: Option<Duration>,
    /// To what it is to be bound.
    pub binding: Binding,
    /// The scopes that the subject has consented to.
    pub consent: Vec<String>,
    /// Further circumstances.
    pub context: Object,
}

impl Request {
    /// The client as a party that may act.
    #[must_use]
    pub fn client_party(&self) -> Party {
        let Client { id, attributes, .. } = &self.client;
        Party { kind: "client".to_owned(), id: id.clone(), properties: attributes.clone() }
    }

    /// A request without anything in it, to be filled.
    #[must_use]
    pub fn new(grant: GrantType, token: TokenType, client: Client, subject: Party) -> Self {
        Self {
            grant,
            token,
            client,
            subject,
            authentication: Authentication::default(),
            actor: None,
            scopes: Vec::new(),
            details: Vec::new(),
            audience: Vec::new(),
            lifetime: None,
            binding: Binding::default(),
            consent: Vec::new(),
            context: Object::new(),
        }
    }

    /// The actors, the current one first.
    pub fn actors(&self) -> impl Iterator<Item = &Party> {
        std::iter::successors(self.actor.as_ref(), |actor| actor.before.as_deref()).map(|actor| &actor.party)
    }

    /// Every fault of it; one that has a fault is not to be asked.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut say = |field: &str, fault: String| found.push(Violation { field: field.to_owned(), fault });
        for (field, text) in [
            ("grant_type", self.grant.given()),
            ("requested_token_type", self.token.given()),
            ("subject.type", &self.subject.kind),
            ("subject.id", &self.subject.id),
        ] {
            if text.is_empty() {
                say(field, "is empty".to_owned());
            } else if text.len() > MAX_TEXT {
                say(field, format!("is longer than {MAX_TEXT} bytes"));
            }
        }
        for actor in self.actors() {
            if actor.kind.is_empty() || actor.id.is_empty() {
                say("actor", "has an actor without `type` or `id`".to_owned());
            }
        }
        for (field, scopes) in [
            ("scopes", &self.scopes),
            ("client.registered_scopes", &self.client.registered_scopes),
            ("consent.scopes", &self.consent),
        ] {
            if scopes.len() > MAX_SCOPES {
                say(field, format!("has {} items, and may have {MAX_SCOPES}", scopes.len()));
            }
            if let Some(wrong) = scopes.iter().find(|scope| !is_scope(scope)) {
                let shown: String = wrong.chars().take(40).collect();
                say(field, format!("`{shown}` is no scope (RFC 6749 §3.3)"));
            }
        }
        if self.audience.len() > MAX_AUDIENCE {
            say("audience", format!("has {} targets, and may have {MAX_AUDIENCE}", self.audience.len()));
        }
        if self.audience.iter().any(|target| target.is_empty() || target.len() > MAX_TEXT) {
            say("audience", format!("has a target that is empty or longer than {MAX_TEXT} bytes"));
        }
        if self.details.len() > MAX_DETAILS {
            say("authorization_details", format!("has {} entries, and may have {MAX_DETAILS}", self.details.len()));
        }
        for (number, entry) in self.details.iter().enumerate() {
            if let Some(fault) = super::details::fault(entry) {
                say(&format!("authorization_details[{number}]"), fault);
            }
        }
        if self.lifetime.is_some_and(|lifetime| lifetime < Duration::from_secs(1)) {
            say("requested_lifetime", "is less than a second".to_owned());
        }
        for name in OWN_CONTEXT.into_iter().filter(|name| self.context.get(name).is_some()) {
            say(&format!("context.{name}"), "is set by Verdict; give it another name".to_owned());
        }
        found
    }
}

/// Whether a text is a scope (RFC 6749 §3.3: `scope-token`).
pub(super) fn is_scope(text: &str) -> bool {
    let printable = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.len() <= MAX_TEXT && text.bytes().all(printable)
}

/// Texts as a value.
pub(super) fn texts(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(|text| Value::String(text.clone())).collect())
}
