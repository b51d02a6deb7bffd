//! What each event does: CAEP 1.0 §3, RISC 1.0 §2, OAuth Event Types 1.0 §3, and the framework's own (SSF 1.0 §8.1.4).
//!
//! `docs/revocation.md` has the same as a table. Where an event means less than can be told from tokens (a session on one
//! device, say), more is revoked rather than less.

use super::{
    config::Transmitter,
    fault::Fault,
    subject::{Identifier, Role, Subject},
    token::Token,
};
use crate::{
    decision::{Number, Object, Value},
    revocation::{Attribute, Change, Kind, Lift, Reach, Revocation, Signal, Target},
};

const BASE: &str = "https://schemas.openid.net/secevent/";

/// What one event is to the registry.
pub(super) struct Event<'a> {
    /// Its transmitter's name.
    source: &'a str,
    transmitter: &'a Transmitter,
    /// Its type, without the URI's path.
    name: &'a str,
    payload: &'a Object,
    subject: Option<Subject>,
    /// When it happened.
    at: u64,
    now: u64,
}

/// What a kind of event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Sessions end that began before.
    EndSessions,
    /// All that the account has ends, until it is enabled; the attribute's `status`.
    Disable(&'static str),
    /// What [`Does::Disable`] by `account-disabled` did ends.
    Enable,
    /// Policies are told, by this attribute.
    Tell(&'static str),
    /// Both.
    EndSessionsAndTell(&'static str),
    /// One token ends.
    EndToken,
    DisableClient,
    EnableClient,
}

/// What a type of event does; `None` for one that changes nothing here.
fn does(family: &str, name: &str) -> Option<Does> {
    Some(match (family, name) {
        ("caep", "session-revoked") | ("risc", "sessions-revoked") | ("oauth", "tokens-revoked") => Does::EndSessions,
        ("caep", "token-claims-change") => Does::Tell("token_claims"),
        ("caep", "credential-change") | ("oauth", "client-credential-changed") => Does::Tell("credential_change"),
        ("caep", "assurance-level-change") => Does::Tell("assurance_level"),
        ("caep", "device-compliance-change") => Does::Tell("device_compliance"),
        ("caep", "risk-level-change") => Does::Tell("risk_level"),
        ("risc", "account-disabled") => Does::Disable("disabled"),
        ("risc", "account-purged") => Does::Disable("purged"),
        ("risc", "account-enabled") => Does::Enable,
        ("risc", "account-credential-change-required") => Does::Tell("credential_change_required"),
        ("risc", "credential-compromise") => Does::EndSessionsAndTell("credential_compromise"),
        ("risc", "identifier-changed") => Does::Tell("identifier_changed"),
        ("risc", "identifier-recycled") => Does::EndSessionsAndTell("identifier_recycled"),
        ("risc", "recovery-activated") => Does::Tell("recovery_activated"),
        ("risc", "recovery-information-changed") => Does::Tell("recovery_information_changed"),
        ("oauth", "token-revoked") => Does::EndToken,
        ("oauth", "client-disabled") => Does::DisableClient,
        ("oauth", "client-enabled") => Does::EnableClient,
        _ => return None,
    })
}

/// The roles of who has an account.
const ACCOUNT: [Role; 2] = [Role::Simple, Role::User];

/// What a token changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) change: Change,
    /// Events that did something.
    pub(super) known: usize,
    /// The `state` of a verification event (SSF 1.0 §8.1.4.1), empty where it has none.
    pub(super) verified: Option<String>,
}

impl Changes {
    /// What the token's events do, all together.
    pub(super) fn of(source: &str, transmitter: &Transmitter, token: &Token, now: u64) -> Result<Self, Fault> {
        let mut changes = Self::default();
        for (kind, payload) in &token.events {
            let Some((family, name)) = kind.strip_prefix(BASE).and_then(|rest| rest.split_once("/event-type/")) else {
                continue;
            };
            if (family, name) == ("ssf", "verification") {
                changes.verified = Some(text(payload, "state").unwrap_or_default().to_owned());
                changes.known += 1;
                continue;
            }
            if (family, name) == ("ssf", "stream-updated") {
                let status = text(payload, "status").unwrap_or("?");
                tracing::warn!(transmitter = source, status = %status.escape_debug(), "the transmitter's stream was changed");
                changes.known += 1;
                continue;
            }
            let Some(does) = does(family, name) else { continue };
            let subject = match (&token.subject, payload.get("subject")) {
                (Some(subject), _) | (None, Some(Value::Object(subject))) => Some(Subject::read(subject)?),
                (None, Some(_)) => return Err(Fault::request("an event's `subject` is no object")),
                (None, None) => None,
            };
            let at = token.time_of(payload)?;
            let event = Event { source, transmitter, name, payload, subject, at, now };
            event.check_issuers()?;
            event.apply(does, &mut changes.change)?;
            changes.known += 1;
        }
        Ok(changes)
    }
}

impl Event<'_> {
    fn check_issuers(&self) -> Result<(), Fault> {
        let foreign = |issuer: &&str| !self.transmitter.issuers.iter().any(|one| one == issuer);
        match self.subject.iter().flat_map(Subject::issuers).find(foreign) {
            None => Ok(()),
            Some(_) => Err(Fault::denied(
                "the subject is of an issuer that this transmitter may not speak for (`ssf.transmitters.NAME.issuers`)",
            )),
        }
    }

    fn apply(&self, does: Does, change: &mut Change) -> Result<(), Fault> {
        match does {
            Does::EndSessions => self.end_sessions(change),
            Does::EndSessionsAndTell(attribute) => {
                self.end_sessions(change)?;
                self.tell(attribute, self.payload, change)
            }
            Does::Tell(attribute) => self.tell(attribute, self.payload, change),
            Does::Disable(status) => {
                let all = Reach::default();
                self.revoke_account(all, change)?;
                self.tell("account", &self.status(status), change)
            }
            Does::Enable => {
                for target in self.account()? {
                    change.lift.push(self.lift(target, "account-disabled"));
                }
                self.tell("account", &self.status("enabled"), change)
            }
            Does::EndToken => self.end_token(change),
            Does::DisableClient => {
                change.add.extend(self.clients()?.map(|target| self.revocation(target, Reach::default())));
                Ok(())
            }
            Does::EnableClient => {
                change.lift.extend(self.clients()?.map(|target| self.lift(target, "client-disabled")));
                Ok(())
            }
        }
    }

    /// Sessions that are named end; where none is, all of who is named that began before the event.
    fn end_sessions(&self, change: &mut Change) -> Result<(), Fault> {
        let subject = self.subject()?;
        let issuers = &self.transmitter.issuers;
        let named = Reach { expires: Some(self.until()), ..Reach::default() };
        if subject.has(Role::Session) {
            let sessions = subject.of(&[Role::Session]).flat_map(|(role, one)| one.targets(role, issuers));
            change.add.extend(sessions.map(|target| self.revocation(target, named)));
            return Ok(());
        }
        let older = Reach { issued_before: Some(self.at + 1), sessions: true, expires: Some(self.until()) };
        let mut any = false;
        for (role, one) in subject.of(&ACCOUNT) {
            any = true;
            match one {
                Identifier::Token { .. } | Identifier::Bare(_) => {
                    change.add.extend(one.targets(role, issuers).into_iter().map(|it| self.revocation(it, named)));
                }
                // Only the transmitter knows whether that is a session or somebody who has one.
                Identifier::Opaque(_) if self.name == "session-revoked" => {
                    let sessions = one.targets(Role::Session, issuers).into_iter();
                    change.add.extend(sessions.map(|target| self.revocation(target, named)));
                    self.revoke_older(role, one, older, change);
                }
                _ => self.revoke_older(role, one, older, change),
            }
        }
        if !any {
            for (role, one) in subject.of(&[Role::Application]) {
                any = true;
                self.revoke_older(role, one, older, change);
            }
        }
        if any {
            return Ok(());
        }
        // A device, a tenant or a group: which tokens are theirs, policies may know.
        self.tell("sessions_revoked", self.payload, change)
    }

    fn revoke_older(&self, role: Role, one: &Identifier, reach: Reach, change: &mut Change) {
        for target in one.targets(role, &self.transmitter.issuers) {
            change.add.extend(actor(&target).map(|actor| self.revocation(actor, reach)));
            change.add.push(self.revocation(target, reach));
        }
    }

    /// All that an account has, and does for others.
    fn revoke_account(&self, reach: Reach, change: &mut Change) -> Result<(), Fault> {
        for target in self.account()? {
            change.add.push(self.revocation(target, reach));
        }
        Ok(())
    }

    fn account(&self) -> Result<Vec<Target>, Fault> {
        let subject = self.subject()?;
        let issuers = &self.transmitter.issuers;
        let targets: Vec<Target> = subject.of(&ACCOUNT).flat_map(|(role, one)| one.targets(role, issuers)).collect();
        if targets.is_empty() {
            return Err(Fault::request("the subject of an account's event is no user"));
        }
        Ok(targets.iter().filter_map(actor).chain(targets.iter().cloned()).collect())
    }

    fn end_token(&self, change: &mut Change) -> Result<(), Fault> {
        let subject = self.subject()?;
        let named = Reach { expires: Some(self.until()), ..Reach::default() };
        let issuers = &self.transmitter.issuers;
        let mut tokens = Vec::new();
        for (role, one) in subject.of(&ACCOUNT) {
            if matches!(one, Identifier::Token { .. } | Identifier::Bare(_)) {
                tokens.extend(one.targets(role, issuers));
            }
        }
        if !tokens.is_empty() {
            change.add.extend(tokens.into_iter().map(|target| self.revocation(target, named)));
            return Ok(());
        }
        // Which token it is can't be told; whose it is may be.
        let Some(Value::Object(whose)) = self.payload.get("token_subject") else {
            tracing::warn!(
                transmitter = self.source,
                "a token was revoked of which neither the `jti` nor the subject can be told; nothing is revoked for it"
            );
            return Ok(());
        };
        let whose = Event { subject: Some(Subject::read(whose)?), ..*self };
        whose.check_issuers()?;
        whose.end_sessions(change)
    }

    /// The client that is named, or else each audience (OAuth Event Types 1.0 §3.4).
    fn clients(&self) -> Result<std::vec::IntoIter<Target>, Fault> {
        let issuers = &self.transmitter.issuers;
        let Some(subject) = &self.subject else {
            let audiences = self.transmitter.audience.iter().cloned().map(Identifier::Client);
            let targets: Vec<_> = audiences.flat_map(|one| one.targets(Role::Application, issuers)).collect();
            return Ok(targets.into_iter());
        };
        let roles = [Role::Simple, Role::Application];
        let targets: Vec<_> = subject.of(&roles).flat_map(|(_, one)| one.targets(Role::Application, issuers)).collect();
        if targets.is_empty() {
            Err(Fault::request("the subject of a client's event is no client"))
        } else {
            Ok(targets.into_iter())
        }
    }

    /// Policies are told of everything that the subject names.
    fn tell(&self, name: &str, value: &Object, change: &mut Change) -> Result<(), Fault> {
        let subject = self.subject()?;
        let device = name == "device_compliance";
        let mut value = json(value);
        if let Some(members) = value.as_object_mut() {
            // What is said elsewhere, and texts for people, which policies have no use for.
            for needless in ["subject", "event_timestamp", "reason_admin", "reason_user"] {
                members.remove(needless);
            }
        }
        let roles = [
            Role::Simple,
            Role::User,
            Role::Session,
            Role::Device,
            Role::Application,
            Role::Tenant,
            Role::OrgUnit,
            Role::Group,
        ];
        for (role, one) in subject.of(&roles) {
            // A device that is the whole subject.
            let roles = if device && role == Role::Simple { vec![role, Role::Device] } else { vec![role] };
            let targets = roles.into_iter().flat_map(|role| one.targets(role, &self.transmitter.issuers));
            change.signals.extend(targets.map(|target| Signal {
                target,
                name: name.to_owned(),
                attribute: Attribute { value: value.clone(), at: self.at, source: self.source.to_owned() },
            }));
        }
        Ok(())
    }

    fn status(&self, status: &str) -> Object {
        let mut members = self.payload.clone();
        members.insert("status".to_owned(), Value::from(status));
        members
    }

    fn subject(&self) -> Result<&Subject, Fault> {
        self.subject.as_ref().ok_or_else(|| Fault::request("an event has no subject"))
    }

    /// Until when what is named stays revoked.
    fn until(&self) -> u64 {
        self.now.saturating_add(self.transmitter.keep.as_secs())
    }

    fn revocation(&self, target: Target, reach: Reach) -> Revocation {
        let reason = ["reason_admin", "reason"].into_iter().find_map(|name| match self.payload.get(name)? {
            Value::String(text) => Some(text.as_str()),
            Value::Object(languages) => match languages.iter().next()? {
                (_, Value::String(text)) => Some(text),
                _ => None,
            },
            _ => None,
        });
        let reason = reason.unwrap_or_default();
        Revocation {
            target,
            reach,
            reason: reason.get(..reason.floor_char_boundary(1_024)).unwrap_or_default().to_owned(),
            author: text(self.payload, "initiating_entity").unwrap_or_default().chars().take(64).collect(),
            at: self.at,
            source: self.source.to_owned(),
            event: self.name.to_owned(),
        }
    }

    fn lift(&self, target: Target, event: &str) -> Lift {
        Lift { target, source: self.source.to_owned(), event: event.to_owned(), until: self.at }
    }
}

/// The same one as an actor: who lost an account must not act for others.
fn actor(target: &Target) -> Option<Target> {
    (target.kind == Kind::Subject).then(|| Target { kind: Kind::Actor, ..target.clone() })
}

fn text<'a>(members: &'a Object, name: &str) -> Option<&'a str> {
    match members.get(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn json(members: &Object) -> serde_json::Value {
    members.iter().map(|(name, value)| (name.to_owned(), json_value(value))).collect::<serde_json::Map<_, _>>().into()
}

fn json_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(Number::Int(number)) => (*number).into(),
        Value::Number(Number::UInt(number)) => (*number).into(),
        Value::Number(Number::Float(number)) => (*number).into(),
        Value::Number(Number::Decimal(text)) => serde_json::from_str(text).unwrap_or_default(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(json_value).collect(),
        Value::Object(members) => json(members),
    }
}
