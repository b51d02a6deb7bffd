//! Whom or what an event is about: Subject Identifiers (RFC 9493 §3), those that the Shared Signals Framework adds (§3.4),
//! its complex subjects (§3.3), and the older spelling of RISC and OAuth events.

use super::fault::Fault;
use crate::{
    decision::{Object, Value},
    revocation::{Kind, Target},
};

/// The most identifiers of one subject.
const MOST: usize = 32;

/// The longest identifier.
const LONGEST: usize = 1_024;

/// What part of a complex subject (SSF 1.0 §3.3) something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Role {
    /// It is the whole subject.
    Simple,
    User,
    Session,
    Device,
    Application,
    Tenant,
    OrgUnit,
    Group,
}

/// One identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identifier {
    /// A subject of an issuer (RFC 9493 §3.2.4).
    Subject { issuer: String, subject: String },
    /// A text that only the transmitter understands (§3.2.3).
    Opaque(String),
    /// `email:…`, `phone:…` or `uri:…` (§3.2.1, §3.2.2, §3.2.5 to §3.2.7).
    Named(String),
    /// A token, by issuer and id (SSF 1.0 §3.4.1, §3.4.2).
    Token { issuer: String, id: String },
    /// A client (OAuth Event Types 1.0 §2.2).
    Client(String),
    /// A token by itself: its `jti`, or nothing that can be compared (OAuth Event Types 1.0 §2.1).
    Bare(Option<String>),
}

/// All that a subject is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subject(Vec<(Role, Identifier)>);

impl Role {
    const MEMBERS: [(&'static str, Self); 7] = [
        ("user", Self::User),
        ("session", Self::Session),
        ("device", Self::Device),
        ("application", Self::Application),
        ("tenant", Self::Tenant),
        ("org_unit", Self::OrgUnit),
        ("group", Self::Group),
    ];
}

impl Subject {
    /// Reads a subject, simple or complex.
    pub(super) fn read(members: &Object) -> Result<Self, Fault> {
        let mut found = Vec::new();
        if format(members).is_ok_and(|format| format == "complex") || has_no_format(members) {
            for (name, role) in Role::MEMBERS {
                match members.get(name) {
                    None => {}
                    Some(Value::Object(member)) => identifiers(role, member, true, &mut found)?,
                    Some(_) => return Err(Fault::request(format!("the subject's `{name}` is no object"))),
                }
            }
        } else {
            identifiers(Role::Simple, members, true, &mut found)?;
        }
        match found.len() {
            0 => Err(Fault::request("the subject has no member that is known")),
            1..=MOST => Ok(Self(found)),
            many => Err(Fault::request(format!("the subject has {many} identifiers; one has at most {MOST}"))),
        }
    }

    /// Whether it has an identifier in that role.
    pub(super) fn has(&self, role: Role) -> bool {
        self.0.iter().any(|(its, _)| *its == role)
    }

    /// The identifiers in one of these roles.
    pub(super) fn of<'a>(&'a self, roles: &'a [Role]) -> impl Iterator<Item = (Role, &'a Identifier)> {
        self.0.iter().filter(|(role, _)| roles.contains(role)).map(|(role, identifier)| (*role, identifier))
    }

    /// The issuers that it names.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(_, identifier)| match identifier {
            Identifier::Subject { issuer, .. } | Identifier::Token { issuer, .. } => Some(issuer.as_str()),
            _ => None,
        })
    }
}

impl Identifier {
    /// What the registry calls it. What names no issuer is meant at each of `issuers`.
    pub(super) fn targets(&self, role: Role, issuers: &[String]) -> Vec<Target> {
        let everywhere = |kind, value: &str| -> Vec<Target> {
            issuers.iter().map(|issuer| Target::new(kind, issuer, value)).collect()
        };
        let group = |role: &str, value: &str| everywhere(Kind::Group, &format!("{role}:{value}"));
        let text = match self {
            Self::Subject { subject, .. } => subject,
            Self::Opaque(text) | Self::Named(text) | Self::Client(text) => text,
            Self::Token { id, .. } => id,
            Self::Bare(Some(id)) => return everywhere(Kind::Token, id),
            Self::Bare(None) => return Vec::new(),
        };
        match (role, self) {
            (Role::Tenant, _) => group("tenant", text),
            (Role::OrgUnit, _) => group("org_unit", text),
            (Role::Group, _) => group("group", text),
            (_, Self::Token { issuer, id }) => vec![Target::new(Kind::Token, issuer, id)],
            (Role::Application, _) | (_, Self::Client(_)) => everywhere(Kind::Client, text),
            (Role::Session, Self::Subject { issuer, .. }) => vec![Target::new(Kind::Session, issuer, text)],
            (Role::Session, _) => everywhere(Kind::Session, text),
            (Role::Device, Self::Subject { issuer, .. }) => vec![Target::new(Kind::Device, issuer, text)],
            (Role::Device, _) => everywhere(Kind::Device, text),
            (_, Self::Subject { issuer, .. }) => vec![Target::new(Kind::Subject, issuer, text)],
            (_, Self::Named(_)) => everywhere(Kind::Identifier, text),
            (_, Self::Opaque(_) | Self::Bare(_)) => everywhere(Kind::Subject, text),
        }
    }
}

fn identifiers(
    role: Role,
    members: &Object,
    outermost: bool,
    found: &mut Vec<(Role, Identifier)>,
) -> Result<(), Fault> {
    let need = |name: &str| text(members, name);
    let format = format(members)?;
    let identifier = match format.as_str() {
        "iss_sub" | "id_token_claims" => Identifier::Subject { issuer: need("iss")?, subject: need("sub")? },
        "opaque" => Identifier::Opaque(need("id")?),
        "email" => Identifier::Named(format!("email:{}", need("email")?.to_lowercase())),
        "phone_number" => Identifier::Named(format!("phone:{}", need("phone_number")?)),
        "phone" => Identifier::Named(format!("phone:{}", need("phone")?)),
        "account" | "uri" => Identifier::Named(format!("uri:{}", need("uri")?)),
        "did" => Identifier::Named(format!("uri:{}", need("url")?)),
        "jwt_id" => Identifier::Token { issuer: need("iss")?, id: need("jti")? },
        "saml_assertion_id" => Identifier::Token { issuer: need("issuer")?, id: need("assertion_id")? },
        "oauth_client" => Identifier::Client(need("client_id")?),
        "oauth_token" => Identifier::Bare(bare(members)?),
        "aliases" if outermost => {
            let Some(Value::Array(all)) = members.get("identifiers") else {
                return Err(Fault::request("the subject's `aliases` have no `identifiers`"));
            };
            if all.len() > MOST {
                return Err(Fault::request(format!("the subject has more than {MOST} aliases")));
            }
            for one in all {
                let Value::Object(one) = one else {
                    return Err(Fault::request("an alias of the subject is no object"));
                };
                identifiers(role, one, false, found)?;
            }
            return Ok(());
        }
        _ => return Err(Fault::request("the subject's format is none that is known")),
    };
    found.push((role, identifier));
    Ok(())
}

/// The `jti` of a token that is given whole; the token itself goes no further. One that is given by a prefix or a hash can't
/// be compared with what a verified token says.
fn bare(members: &Object) -> Result<Option<String>, Fault> {
    let (how, token) = (text(members, "token_identifier_alg")?, text(members, "token")?);
    if how != "plain" {
        return Ok(None);
    }
    let payload = token
        .split('.')
        .nth(1)
        .and_then(|payload| base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).ok());
    let claims = payload.and_then(|payload| crate::decision::json::parse(&payload).ok());
    Ok(match claims {
        Some(Value::Object(claims)) => text(&claims, "jti").ok(),
        _ => None,
    })
}

fn has_no_format(members: &Object) -> bool {
    members.get("format").is_none() && members.get("subject_type").is_none()
}

/// `format`, or the `subject_type` of before RFC 9493, whose names had hyphens.
fn format(members: &Object) -> Result<String, Fault> {
    if members.get("format").is_some() {
        return text(members, "format");
    }
    text(members, "subject_type").map(|older| older.replace('-', "_"))
}

fn text(members: &Object, name: &str) -> Result<String, Fault> {
    match members.get(name) {
        Some(Value::String(text)) if (1..=LONGEST).contains(&text.len()) => Ok(text.clone()),
        // A token may be longer than a name.
        Some(Value::String(text)) if name == "token" && text.len() <= 16 << 10 => Ok(text.clone()),
        _ => Err(Fault::request(format!("the subject has no `{name}`, or one that is no text of 1 to 1,024 bytes"))),
    }
}
