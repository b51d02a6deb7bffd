//! `verdict.v1.IssuanceService`: messages to requests of issuance, and answers to messages.

use std::time::Duration;

use tonic::{Request, Response, Status};

use super::{
    caught,
    deadline::Deadline,
    proto::{self, AuthorizeRequest, AuthorizeResponse, issuance_service_server::IssuanceService},
    response, wire,
};
use crate::{
    api::{
        issuance::{Issued, Issuer},
        settle::DoorName,
        status::{CallError, FieldViolation},
    },
    decision::Object,
    issuance::{self, Answer, Authentication, Binding, Client, Cut, GrantType, Party, Refusal, TokenType},
};

/// The longest request id, in bytes.
const MAX_REQUEST_ID: usize = 256;

/// The issuance service.
#[derive(Clone)]
pub struct Issuances {
    issuer: Issuer,
    timeout: Duration,
}

impl Issuances {
    /// A service whose calls may take that long.
    #[must_use]
    pub fn new(issuer: Issuer, timeout: Duration) -> Self {
        Self { issuer, timeout }
    }
}

#[tonic::async_trait]
impl IssuanceService for Issuances {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeResponse>, Status> {
        let _call = self.issuer.observer().in_flight();
        let deadline = Deadline::of(request.metadata(), self.timeout);
        let answer = async {
            let (request, request_id) = read(request.into_inner()).map_err(CallError::InvalidQuery)?;
            let (issuer, on, left) = (&self.issuer, self.issuer.pin()?, deadline.left()?);
            let issued = issuer.authorize(&on, DoorName::ISSUANCE, &request, &request_id, left).await?;
            Ok(message(issued, request_id))
        };
        caught(self.issuer.observer(), answer).await
    }
}

/// Reads a message; what is wrong with values as such is found by [`issuance::Request::violations`].
fn read(request: AuthorizeRequest) -> Result<(issuance::Request, String), Vec<FieldViolation>> {
    let AuthorizeRequest {
        grant_type,
        requested_token_type,
        client,
        subject,
        authentication,
        actor,
        scopes,
        authorization_details,
        resource,
        audience,
        requested_lifetime,
        binding,
        consented_scopes,
        context,
        request_id,
    } = request;
    let mut reader = Reader { violations: Vec::new() };
    let token = if requested_token_type.is_empty() { "access_token" } else { requested_token_type.as_str() };
    let client = reader.client(client);
    let subject = reader.party("subject", subject);
    let mut read = issuance::Request::new(GrantType::new(&grant_type), TokenType::new(token), client, subject);
    read.authentication = authentication.map(self::authentication).unwrap_or_default();
    read.actor = actor.map(|actor| reader.actor(actor));
    read.scopes = scopes;
    read.audience = resource;
    for target in audience {
        if !read.audience.contains(&target) {
            read.audience.push(target);
        }
    }
    let entry = |(number, entry)| reader.object(&format!("authorization_details[{number}]"), Some(entry));
    read.details = authorization_details.into_iter().enumerate().map(entry).collect();
    read.lifetime = requested_lifetime.and_then(|lifetime| reader.lifetime(lifetime));
    read.binding = binding.map(self::binding).unwrap_or_default();
    read.consent = consented_scopes;
    read.context = reader.object("context", context);
    if request_id.len() > MAX_REQUEST_ID {
        reader.violate("request_id", format!("is longer than {MAX_REQUEST_ID} bytes"));
    }
    if reader.violations.is_empty() { Ok((read, request_id)) } else { Err(reader.violations) }
}

fn authentication(message: proto::Authentication) -> Authentication {
    let proto::Authentication { acr, amr, auth_time, session_id } = message;
    let given = |text: String| (!text.is_empty()).then_some(text);
    Authentication {
        acr: given(acr),
        amr,
        auth_time: (auth_time != 0).then_some(auth_time),
        session: given(session_id),
    }
}

fn binding(proto::SenderBinding { jkt, x5t_s256 }: proto::SenderBinding) -> Binding {
    let given = |text: String| (!text.is_empty()).then_some(text);
    Binding { jkt: given(jkt), x5t_s256: given(x5t_s256) }
}

struct Reader {
    violations: Vec<FieldViolation>,
}

impl Reader {
    fn violate(&mut self, field: &str, fault: impl Into<String>) {
        self.violations.push(FieldViolation::new(field, fault));
    }

    fn object(&mut self, field: &str, object: Option<wire::Object>) -> Object {
        let Some(wire::Object { members, defect }) = object else { return Object::new() };
        if let Some(defect) = defect {
            self.violate(field, defect.describe());
        }
        members
    }

    fn client(&mut self, client: Option<proto::IssuanceClient>) -> Client {
        let Some(proto::IssuanceClient { id, authentication_method, registered_scopes, attributes }) = client else {
            self.violate("client", "is missing");
            return Client::default();
        };
        if id.is_empty() {
            self.violate("client.id", "is empty");
        }
        let attributes = self.object("client.attributes", attributes);
        Client { id, authentication_method, registered_scopes, attributes }
    }

    fn party(&mut self, field: &str, party: Option<proto::IssuanceParty>) -> Party {
        let Some(proto::IssuanceParty { r#type, id, properties }) = party else {
            self.violate(field, "is missing");
            return Party::default();
        };
        Party { kind: r#type, id, properties: self.object(&format!("{field}.properties"), properties) }
    }

    /// Chains are as long as a message may nest, which prost bounds.
    fn actor(&mut self, actor: proto::Actor) -> issuance::Actor {
        let proto::Actor { party, actor } = actor;
        let party = self.party("actor.party", party);
        issuance::Actor { party, before: actor.map(|actor| Box::new(self.actor(*actor))) }
    }

    fn lifetime(&mut self, lifetime: prost_types::Duration) -> Option<Duration> {
        let read = Duration::try_from(lifetime).ok();
        if read.is_none() {
            self.violate("requested_lifetime", "is no length of time");
        }
        read
    }
}

fn message(issued: Issued, request_id: String) -> AuthorizeResponse {
    let Issued { decision_id, mut verdict, answer } = issued;
    // It has fields of its own here.
    verdict.context.remove("issuance");
    let Answer {
        allow,
        scopes,
        refused,
        audience,
        lifetime,
        details,
        claims,
        critical,
        // The verdict has it.
        step_up: _,
        consent,
        approval,
        sender_binding,
        error,
        cuts,
    } = answer;
    AuthorizeResponse {
        verdict: Some(response::verdict(verdict, decision_id, request_id)),
        error: error.unwrap_or_default().to_owned(),
        granted_scopes: scopes,
        refused_scopes: refused
            .into_iter()
            .map(|Refusal { scope, code, message }| proto::RefusedScope { scope, code: code.to_owned(), message })
            .collect(),
        audience,
        lifetime_ceiling: allow.then(|| response::duration(lifetime)),
        authorization_details: details.into_iter().map(wire::Object::from).collect(),
        claims: response::object(claims),
        critical_claims: critical,
        consent_scopes: consent,
        approval: approval.map(wire::Object::from),
        sender_binding,
        cuts: cuts
            .into_iter()
            .map(|Cut { what, value, code }| proto::Cut { what: what.to_owned(), value, code: code.to_owned() })
            .collect(),
    }
}
