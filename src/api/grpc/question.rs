//! Messages to questions. Each message is taken apart whole, so that a new field of the contract breaks the build.

use super::{
    proto::{self, BatchCheckItem, BatchCheckRequest, CheckRequest, ExplainMode},
    wire,
};
use crate::{
    api::{
        credentials::{Asked, Credential},
        json::{self, Members},
        status::FieldViolation,
    },
    decision::{Action, At, EntryPoint, Freshness, Object, Query, Resource, Searched, Subject},
    identity::Proof,
};

/// The longest request id, in bytes.
const MAX_REQUEST_ID: usize = 256;

/// A question and its caller's name for it.
pub(super) struct Question {
    pub(super) request_id: String,
    pub(super) asked: Result<Asked, Vec<FieldViolation>>,
    /// What it is to be decided on; that of an item is its batch's.
    pub(super) at: At,
}

/// Violations found so far, and the path of what is being read.
struct Reader {
    violations: Vec<FieldViolation>,
}

/// Reads one question.
pub(super) fn question(request: CheckRequest) -> Question {
    let CheckRequest {
        subject,
        action,
        resource,
        context,
        query_json,
        policy,
        request_id,
        explain,
        at_least_as_fresh,
        at_revision,
        credential: shown,
    } = request;
    let mut reader = Reader { violations: Vec::new() };
    let given = reader.members(subject, action, resource, context, &query_json);
    let policy = reader.policy(&policy);
    let explain = reader.explain(explain);
    let at = reader.at(at_least_as_fresh, at_revision);
    let request_id = reader.request_id(request_id);
    let how = How { policy, explain, whole_json: !query_json.is_empty() };
    let asked = reader.asked(given, &Members::default(), how, shown.map(credential));
    Question { request_id, asked, at }
}

/// What the items of a batch share.
pub(super) struct Defaults {
    members: Members,
    policy: Option<EntryPoint>,
    explain: bool,
    credential: Option<Credential>,
    /// What the batch is to be decided on.
    pub(super) at: At,
}

/// Reads the defaults of a batch; the items are read one by one, so that a bad one fails alone.
pub(super) fn defaults(
    request: BatchCheckRequest,
) -> Result<(Defaults, i32, Vec<BatchCheckItem>), Vec<FieldViolation>> {
    let BatchCheckRequest {
        subject,
        action,
        resource,
        context,
        policy,
        explain,
        semantics,
        items,
        at_least_as_fresh,
        at_revision,
        credential: shown,
    } = request;
    let mut reader = Reader { violations: Vec::new() };
    let members = reader.members(subject, action, resource, context, &[]);
    let policy = reader.policy(&policy);
    let explain = reader.explain(explain);
    let at = reader.at(at_least_as_fresh, at_revision);
    if !reader.violations.is_empty() {
        return Err(reader.violations);
    }
    let credential = shown.map(credential);
    Ok((Defaults { members, policy, explain, credential, at }, semantics, items))
}

/// Reads one item of a batch over its defaults.
pub(super) fn item(item: BatchCheckItem, defaults: &Defaults) -> Question {
    let BatchCheckItem { subject, action, resource, context, query_json, policy, request_id, credential: shown } = item;
    let mut reader = Reader { violations: Vec::new() };
    let given = reader.members(subject, action, resource, context, &query_json);
    let policy = reader.policy(&policy).or_else(|| defaults.policy.clone());
    let request_id = reader.request_id(request_id);
    let how = How { policy, explain: defaults.explain, whole_json: false };
    let credential = shown.map(credential).or_else(|| defaults.credential.clone());
    let asked = reader.asked(given, &defaults.members, how, credential);
    Question { request_id, asked, at: At::Active }
}

/// What the gate goes by of an item, before it is read whole: what cannot be read is asked of nobody.
pub(super) fn named(item: &BatchCheckItem, defaults: &Defaults) -> Option<Query> {
    let mut reader = Reader { violations: Vec::new() };
    let policy = reader.policy(&item.policy).or_else(|| defaults.policy.clone());
    reader.violations.is_empty().then(|| Query { policy, explain: defaults.explain, ..Query::default() })
}

/// How a question is to be answered.
struct How {
    policy: Option<EntryPoint>,
    explain: bool,
    /// Whether what is missing is missing from the JSON.
    whole_json: bool,
}

pub(super) fn credential(message: proto::Credential) -> Credential {
    let proto::Credential { token, proof } = message;
    let proto::Proof { jkt, x5t_s256 } = proof.unwrap_or_default();
    let given = |text: String| (!text.is_empty()).then_some(text);
    Credential { token: token.into(), proof: Proof { jkt: given(jkt), x5t_s256: given(x5t_s256) } }
}

/// What identifies something, and the circumstances.
type Parts = (Option<proto::Subject>, Option<proto::Action>, Option<proto::Resource>, Option<wire::Object>);

/// Reads the question of a search: the id of what is searched for is not looked at.
pub(super) fn search(
    (subject, action, resource, context): Parts,
    policy: &str,
    searched: Searched,
) -> Result<Query, Vec<FieldViolation>> {
    // A stand-in, which is not empty and which the search does not see.
    let any = || "*".to_owned();
    let subject = subject.map(|subject| match searched {
        Searched::Subject => proto::Subject { id: any(), ..subject },
        _ => subject,
    });
    let resource = resource.map(|resource| match searched {
        Searched::Resource => proto::Resource { id: any(), ..resource },
        _ => resource,
    });
    let action = match searched {
        Searched::Action => Some(proto::Action { name: any(), properties: None }),
        _ => action,
    };
    let mut reader = Reader { violations: Vec::new() };
    let given = reader.members(subject, action, resource, context, &[]);
    let policy = reader.policy(policy);
    reader.finish(given, &Members::default(), How { policy, explain: false, whole_json: false })
}

impl Reader {
    fn violate(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.violations.push(FieldViolation::new(field, description));
    }

    fn members(
        &mut self,
        subject: Option<proto::Subject>,
        action: Option<proto::Action>,
        resource: Option<proto::Resource>,
        context: Option<wire::Object>,
        query_json: &[u8],
    ) -> Members {
        if !query_json.is_empty() {
            let doubled = [
                ("subject", subject.is_some()),
                ("action", action.is_some()),
                ("resource", resource.is_some()),
                ("context", context.is_some()),
            ];
            for (field, _) in doubled.into_iter().filter(|(_, given)| *given) {
                self.violate(field, "is given together with `query_json`; give one of them");
            }
            let (members, faults) = json::members(query_json);
            self.violations.extend(faults);
            return members;
        }
        Members {
            subject: subject.map(|proto::Subject { r#type, id, properties }| Subject {
                kind: self.text("subject.type", r#type),
                id: self.text("subject.id", id),
                properties: self.object("subject.properties", properties),
            }),
            action: action.map(|proto::Action { name, properties }| Action {
                name: self.text("action.name", name),
                properties: self.object("action.properties", properties),
            }),
            resource: resource.map(|proto::Resource { r#type, id, properties }| Resource {
                kind: self.text("resource.type", r#type),
                id: self.text("resource.id", id),
                properties: self.object("resource.properties", properties),
            }),
            context: context.map(|context| self.object("context", Some(context))),
        }
    }

    fn at(&mut self, fresh: Option<proto::Freshness>, revision: u64) -> At {
        match (fresh, revision) {
            (None, 0) => At::Active,
            (None, revision) => At::Revision(revision),
            (Some(proto::Freshness { sequence, bundles }), 0) => At::Fresh(Freshness { sequence, bundles }),
            (Some(_), _) => {
                self.violate("at_revision", "is given together with `at_least_as_fresh`; give one of them");
                At::Active
            }
        }
    }

    fn text(&mut self, field: &str, text: String) -> String {
        if text.is_empty() {
            self.violate(field, "is empty");
        }
        text
    }

    fn object(&mut self, field: &str, object: Option<wire::Object>) -> Object {
        let Some(wire::Object { members, defect }) = object else { return Object::new() };
        if let Some(defect) = defect {
            self.violate(field, defect.describe());
        }
        members
    }

    fn policy(&mut self, policy: &str) -> Option<EntryPoint> {
        if policy.is_empty() {
            return None;
        }
        policy
            .parse()
            .map_err(|error: crate::decision::InvalidEntryPoint| self.violate("policy", error.to_string()))
            .ok()
    }

    fn explain(&mut self, mode: i32) -> bool {
        match ExplainMode::try_from(mode) {
            Ok(ExplainMode::Unspecified | ExplainMode::Off) => false,
            Ok(ExplainMode::On) => true,
            Err(_) => {
                self.violate("explain", format!("is {mode}, which is no ExplainMode"));
                false
            }
        }
    }

    fn request_id(&mut self, id: String) -> String {
        if id.len() > MAX_REQUEST_ID {
            self.violate("request_id", format!("is longer than {MAX_REQUEST_ID} bytes"));
            return String::new();
        }
        id
    }

    /// The same, where a credential may stand for the subject.
    fn asked(
        self,
        mut given: Members,
        defaults: &Members,
        how: How,
        credential: Option<Credential>,
    ) -> Result<Asked, Vec<FieldViolation>> {
        let Some(credential) = credential else { return self.finish(given, defaults, how).map(Asked::plain) };
        let named = self.violations.iter().any(|violation| violation.field.starts_with("subject"));
        let has_subject = named || given.subject.is_some() || defaults.subject.is_some();
        if !has_subject {
            given.subject = Some(Subject::default());
        }
        let query = self.finish(given, defaults, how)?;
        Ok(Asked::with(query, credential, has_subject))
    }

    /// The question, if nothing is missing or wrong.
    fn finish(mut self, given: Members, defaults: &Members, how: How) -> Result<Query, Vec<FieldViolation>> {
        let How { policy, explain, whole_json } = how;
        let subject = given.subject.or_else(|| defaults.subject.clone());
        let action = given.action.or_else(|| defaults.action.clone());
        let resource = given.resource.or_else(|| defaults.resource.clone());
        let context = given.context.or_else(|| defaults.context.clone()).unwrap_or_default();
        let unreadable = self.violations.iter().any(|violation| violation.field == "query_json");
        for (name, absent) in
            [("subject", subject.is_none()), ("action", action.is_none()), ("resource", resource.is_none())]
        {
            let named = self.violations.iter().any(|violation| violation.field.split('.').next() == Some(name));
            if absent && !named && !unreadable {
                self.violate(name, if whole_json { "is missing in `query_json`" } else { "is missing" });
            }
        }
        match (subject, action, resource) {
            (Some(subject), Some(action), Some(resource)) if self.violations.is_empty() => {
                Ok(Query { subject, action, resource, context, policy, explain, ..Query::default() })
            }
            _ => Err(self.violations),
        }
    }
}
