//! What is asked: questions read or generated, and encoded once, so that sending one again copies nothing.

use std::path::Path;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use prost::Message as _;
use serde_json::Value as Json;
use verdict::{
    api::{
        grpc::{proto, wire},
        json,
    },
    decision::{EntryPoint, Object, Query},
};

/// Which call asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// One question a request.
    Check,
    /// So many questions a request.
    BatchCheck(usize),
    /// One question a request, of AuthZEN over HTTP.
    Evaluation,
    /// The generated policy's rule as a document, over OPA's data API.
    Document,
}

/// Requests of one method, encoded.
pub(super) struct Requests {
    pub(super) method: Method,
    // INVARIANT: not empty.
    bodies: Vec<Bytes>,
}

impl Method {
    /// The call's path.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Check => "/verdict.v1.DecisionService/Check",
            Self::BatchCheck(_) => "/verdict.v1.DecisionService/BatchCheck",
            Self::Evaluation => "/access/v1/evaluation",
            Self::Document => "/v1/data/authz/decision",
        }
    }

    /// In words.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Check => "Check".to_owned(),
            Self::BatchCheck(items) => format!("BatchCheck of {items}"),
            Self::Evaluation => "AuthZEN evaluation".to_owned(),
            Self::Document => "OPA data".to_owned(),
        }
    }
}

impl Requests {
    /// Encodes `queries`, which must not be empty; a batch takes the next ones, beginning anew after the last.
    pub(super) fn encode(queries: Vec<Query>, method: Method, policy: Option<&EntryPoint>) -> Self {
        let policy = policy.map(EntryPoint::as_str).unwrap_or_default();
        let count = queries.len();
        let checks = |queries: Vec<Query>| queries.into_iter().map(check);
        let bodies = match method {
            Method::Check => checks(queries)
                .map(|check| proto::CheckRequest { policy: policy.to_owned(), ..check }.encode_to_vec().into())
                .collect(),
            Method::BatchCheck(size) => {
                let items: Vec<proto::BatchCheckItem> = checks(queries).map(item).collect();
                let mut items = items.iter().cycle();
                let batch = |items: &mut dyn Iterator<Item = &proto::BatchCheckItem>| proto::BatchCheckRequest {
                    policy: policy.to_owned(),
                    items: items.take(size).cloned().collect(),
                    ..proto::BatchCheckRequest::default()
                };
                (0..count.div_ceil(size.max(1))).map(|_| batch(&mut items).encode_to_vec().into()).collect()
            }
            Method::Evaluation => queries.iter().map(|query| evaluation(query).to_string().into()).collect(),
            Method::Document => {
                queries.iter().map(|query| serde_json::json!({"input": evaluation(query)}).to_string().into()).collect()
            }
        };
        Self { method, bodies }
    }

    /// Encodes checks, each with its token.
    pub(super) fn bearing(queries: Vec<(Query, String)>) -> Self {
        let credential = |token| Some(proto::Credential { token, proof: None });
        let message = |(query, token)| proto::CheckRequest { credential: credential(token), ..check(query) };
        let bodies = queries.into_iter().map(|asked| message(asked).encode_to_vec().into()).collect();
        Self { method: Method::Check, bodies }
    }

    /// The request of that number, round and round.
    pub(super) fn body(&self, number: usize) -> Bytes {
        self.bodies.get(number % self.bodies.len().max(1)).cloned().unwrap_or_default()
    }

    /// How many different requests there are.
    pub(super) fn len(&self) -> usize {
        self.bodies.len()
    }
}

/// Reads questions: one AuthZEN evaluation request, an array of them, or one after the other (JSON lines). An item
/// with a member `query` is asked that.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Query>> {
    let shown = path.display();
    let text = std::fs::read(path).with_context(|| format!("can't read `{shown}`"))?;
    let mut queries = Vec::new();
    for value in serde_json::Deserializer::from_slice(&text).into_iter::<Json>() {
        let items = match value.with_context(|| format!("`{shown}` is not JSON"))? {
            Json::Array(items) => items,
            item => vec![item],
        };
        for item in items {
            let query = item.get("query").unwrap_or(&item);
            let read = json::query(query.to_string().as_bytes());
            queries.push(read.map_err(|faults| {
                let faults: Vec<String> =
                    faults.iter().map(|fault| format!("`{}` {}", fault.field, fault.description)).collect();
                anyhow::anyhow!("`{shown}`, question {}: {}", queries.len() + 1, faults.join("; "))
            })?);
        }
    }
    if queries.is_empty() {
        bail!("`{shown}` has no question");
    }
    Ok(queries)
}

fn check(query: Query) -> proto::CheckRequest {
    let Query { subject, action, resource, context, .. } = query;
    proto::CheckRequest {
        subject: Some(proto::Subject {
            r#type: subject.kind,
            id: subject.id,
            properties: attributes(subject.properties),
        }),
        action: Some(proto::Action { name: action.name, properties: attributes(action.properties) }),
        resource: Some(proto::Resource {
            r#type: resource.kind,
            id: resource.id,
            properties: attributes(resource.properties),
        }),
        context: attributes(context),
        ..proto::CheckRequest::default()
    }
}

/// AuthZEN's evaluation request.
fn evaluation(query: &Query) -> Json {
    let Query { subject, action, resource, context, .. } = query;
    let mut question = serde_json::json!({
        "subject": {"type": subject.kind, "id": subject.id},
        "action": {"name": action.name},
        "resource": {"type": resource.kind, "id": resource.id},
    });
    let parts = [("subject", &subject.properties), ("action", &action.properties), ("resource", &resource.properties)];
    for (part, properties) in parts {
        if let Some(Json::Object(members)) = question.get_mut(part).filter(|_| !properties.is_empty()) {
            members.insert("properties".to_owned(), json::written_object(properties).into());
        }
    }
    if let Some(members) = question.as_object_mut().filter(|_| !context.is_empty()) {
        members.insert("context".to_owned(), json::written_object(context).into());
    }
    question
}

fn item(check: proto::CheckRequest) -> proto::BatchCheckItem {
    let proto::CheckRequest { subject, action, resource, context, .. } = check;
    proto::BatchCheckItem { subject, action, resource, context, ..proto::BatchCheckItem::default() }
}

fn attributes(object: Object) -> Option<wire::Object> {
    (!object.is_empty()).then(|| object.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> anyhow::Result<Vec<Query>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path())
    }

    const QUESTION: &str =
        r#"{"subject":{"type":"user","id":"a"},"action":{"name":"read"},"resource":{"type":"document","id":"1"}}"#;

    #[test]
    fn reads_one_question_an_array_lines_and_the_corpus() {
        assert_eq!(read_text(QUESTION).unwrap().len(), 1);
        assert_eq!(read_text(&format!("[{QUESTION}, {QUESTION}]")).unwrap().len(), 2);
        assert_eq!(read_text(&format!("{QUESTION}\n{QUESTION}\n{QUESTION}\n")).unwrap().len(), 3);
        assert_eq!(read_text(&format!(r#"[{{"name":"n","query":{QUESTION}}}]"#)).unwrap().len(), 1);
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/questions.json");
        assert!(read(&corpus).unwrap().len() > 10);
    }

    #[test]
    fn encodes_for_each_door_what_it_reads_as_the_same_question() {
        let queries =
            || super::super::generated::Directory::generate().questions().into_iter().take(9).map(|(query, _)| query);
        let requests = |method| Requests::encode(queries().collect(), method, None);
        let (evaluations, documents) = (requests(Method::Evaluation), requests(Method::Document));
        for (number, query) in queries().enumerate() {
            assert!(!query.context.is_empty() && !query.subject.properties.is_empty());
            assert_eq!(json::query(&evaluations.body(number)), Ok(query));
            let document: Json = serde_json::from_slice(&documents.body(number)).unwrap();
            assert_eq!(document["input"], serde_json::from_slice::<Json>(&evaluations.body(number)).unwrap());
        }
    }

    #[test]
    fn says_which_question_is_wrong_and_how() {
        let error = read_text(&format!(r#"{QUESTION} {{"subject":{{"type":"user"}}}}"#)).unwrap_err().to_string();
        assert!(error.contains("question 2") && error.contains("`subject.id` is missing"), "{error}");
        assert!(read_text("[]").unwrap_err().to_string().contains("has no question"));
        assert!(read_text("{").is_err());
    }

    #[test]
    fn a_batch_goes_on_where_the_last_one_ended() {
        let queries = read_text(&format!("[{QUESTION}, {QUESTION}, {QUESTION}]")).unwrap();
        let requests = Requests::encode(queries, Method::BatchCheck(2), None);
        assert_eq!(requests.len(), 2);
        let batch = proto::BatchCheckRequest::decode(requests.body(3)).unwrap();
        assert_eq!(batch.items.len(), 2);
    }
}
