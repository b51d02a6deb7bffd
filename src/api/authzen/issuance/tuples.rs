//! The tuples of a batch: gates, scopes, and the cells of authorization details, put together to questions of issuance.

use std::time::Duration;

use super::{AUDIENCE, PROTECTED_RESOURCE, context};
use crate::{
    api::status::{CallError, FieldViolation},
    decision::{Object, Query, Subject, Value},
    issuance::{Actor, Party, Request, gate_name},
};

/// The action of a cell of an entry that names none ("Authorization Detail Tuple").
const NO_ACTION: &str = "authorization_detail";

/// What one evaluation asks.
pub(super) enum Tuple {
    /// May a token of this kind be issued for this target? Of the group with that number.
    Gate { group: usize, target: String },
    /// May it have this scope at this target?
    Scope { scope: String, target: String },
    /// May it have this cell of an authorization detail?
    Cell(Object),
    /// It is no question.
    Fault(CallError),
}

/// Gates of one name, and all that is asked for beside them.
pub(super) struct Group {
    action: String,
    parties: Vec<Subject>,
    /// What its gates say of the request, all the same.
    context: Object,
    pub(super) request: Request,
}

impl Group {
    /// Of an exchange with one party, the client that asks is the other: `act` is who acted before it ("Requesting Party").
    fn asks_the_client(&mut self) {
        if self.parties.len() == 1
            && self.request.grant.is_exchange()
            && let Some(acted) = self.request.actor.take()
        {
            let client = self.request.client_party();
            self.request.actor = Some(Actor { party: client, before: Some(Box::new(acted)) });
        }
    }
}

/// A batch.
pub(super) struct Tuples {
    groups: Vec<Group>,
    tuples: Vec<Tuple>,
}

impl Tuples {
    /// Reads a batch that has a gate in it.
    pub(super) fn read(queries: Vec<Result<Query, CallError>>) -> Result<Self, Vec<FieldViolation>> {
        let mut groups: Vec<Group> = Vec::new();
        for gate in queries.iter().flatten().filter(|query| super::is_gate(query)) {
            group(&mut groups, gate)?;
        }
        for group in &mut groups {
            group.asks_the_client();
        }
        let (mut scopes, mut cells): (Vec<String>, Vec<Object>) = (Vec::new(), Vec::new());
        let mut tuples = Vec::new();
        for query in queries {
            let tuple = match query {
                Ok(query) => tuple(&query, &groups),
                Err(error) => Tuple::Fault(error),
            };
            match &tuple {
                Tuple::Scope { scope, .. } if !scopes.contains(scope) => scopes.push(scope.clone()),
                Tuple::Cell(cell) if !cells.contains(cell) => cells.push(cell.clone()),
                _ => {}
            }
            tuples.push(tuple);
        }
        for Group { request, .. } in &mut groups {
            request.scopes.clone_from(&scopes);
            request.details.clone_from(&cells);
        }
        Ok(Self { groups, tuples })
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Tuple> {
        self.tuples.iter()
    }

    /// Whether scopes are asked for.
    pub(super) fn has_scopes(&self) -> bool {
        self.tuples.iter().any(|tuple| matches!(tuple, Tuple::Scope { .. }))
    }

    /// What is wrong with the item of that number.
    pub(super) fn fault(&self, number: usize) -> Option<&CallError> {
        if let Some(Tuple::Fault(error)) = self.tuples.get(number) { Some(error) } else { None }
    }
}

fn invalid(field: &str, fault: impl Into<String>) -> FieldViolation {
    FieldViolation::new(field, fault)
}

fn is(subject: &Subject, other: &Subject) -> bool {
    (&subject.kind, &subject.id) == (&other.kind, &other.id)
}

/// Whether a party is told of as before.
fn same(before: &Subject, now: &Subject) -> Result<(), Vec<FieldViolation>> {
    if before.properties == now.properties {
        return Ok(());
    }
    Err(vec![invalid("subject.properties", "are others than those of the first gate of this name and subject")])
}

/// Adds a gate to the group of its name. The first party of a group is the one that the token stands for, the second the
/// one that gets it (AuthZEN Binding for OAuth 2.0 Token Exchange, "Batch Composition").
fn group(groups: &mut Vec<Group>, gate: &Query) -> Result<(), Vec<FieldViolation>> {
    let target = &gate.resource.id;
    if let Some(group) = groups.iter_mut().find(|group| group.action == gate.action.name) {
        if group.context != gate.context {
            return Err(vec![invalid("context", "is another than that of the first gate of this name")]);
        }
        if !group.request.audience.contains(target) {
            group.request.audience.push(target.clone());
        }
        match group.parties.as_slice() {
            [one, ..] if is(one, &gate.subject) => same(one, &gate.subject)?,
            [_, other] if is(other, &gate.subject) => same(other, &gate.subject)?,
            [_] => {
                let before = group.request.actor.take().map(Box::new);
                group.request.actor = Some(Actor { party: party(&gate.subject), before });
                group.parties.push(gate.subject.clone());
            }
            _ => return Err(vec![invalid("evaluations", "has gates of one name for more than two parties")]),
        }
        return Ok(());
    }
    let Some((token, grant)) = gate_name(&gate.action.name) else { return Ok(()) };
    let context::Told { client, authentication, binding, consent, lifetime, acted, rest } =
        context::read(gate.context.clone())?;
    let mut request = Request::new(grant, token, client, party(&gate.subject));
    request.authentication = authentication;
    request.binding = binding;
    request.consent = consent;
    request.lifetime = lifetime.map(Duration::from_secs);
    request.actor = acted;
    request.context = rest;
    request.audience = vec![target.clone()];
    let (parties, context) = (vec![gate.subject.clone()], gate.context.clone());
    groups.push(Group { action: gate.action.name.clone(), parties, context, request });
    Ok(())
}

fn party(Subject { kind, id, properties }: &Subject) -> Party {
    Party { kind: kind.clone(), id: id.clone(), properties: properties.clone() }
}

/// What a question of such a batch asks.
fn tuple(query: &Query, groups: &[Group]) -> Tuple {
    let fault = |field: &str, fault: &str| Tuple::Fault(CallError::InvalidQuery(vec![invalid(field, fault)]));
    if !groups.iter().any(|group| group.parties.iter().any(|party| is(party, &query.subject))) {
        return fault("subject", "is the subject of no gate in this batch");
    }
    let (kind, id, action) = (query.resource.kind.clone(), query.resource.id.clone(), query.action.name.clone());
    if super::is_gate(query) {
        let number = groups.iter().position(|group| group.action == action).unwrap_or_default();
        return Tuple::Gate { group: number, target: id };
    }
    if kind == AUDIENCE || kind == PROTECTED_RESOURCE {
        if action.starts_with("issue:") {
            return fault("action.name", "begins with `issue:` and is no name of a gate");
        }
        if !groups.iter().any(|group| group.request.audience.contains(&id)) {
            return fault("resource.id", "is the target of no gate in this batch");
        }
        return Tuple::Scope { scope: action, target: id };
    }
    Tuple::Cell(cell(&kind, &id, &action))
}

/// A cell as an entry of its own (RFC 9396 §2.2): the datatype is what follows the last colon of the action.
fn cell(kind: &str, location: &str, action: &str) -> Object {
    let list = |text: &str| Value::Array(vec![text.into()]);
    let mut entry = Object::from_iter([("type".to_owned(), kind.into()), ("locations".to_owned(), list(location))]);
    match action.rsplit_once(':') {
        _ if action == NO_ACTION => {}
        Some((action, datatype)) if !action.is_empty() && !datatype.is_empty() => {
            if action != NO_ACTION {
                entry.insert("actions".to_owned(), list(action));
            }
            entry.insert("datatypes".to_owned(), list(datatype));
        }
        _ => entry.insert("actions".to_owned(), list(action)),
    }
    entry
}
