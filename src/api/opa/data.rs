//! The data API: the document at a path, for an input.

use std::time::{Duration, Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use serde_json::{Map, Value as Json, json};

use super::{
    Door, Shared,
    answer::{self, Answer},
    body,
    explanation::explained,
    fault::{Fault, UNDEFINED},
    parameters::Parameters,
    path,
};
use crate::{
    api::{
        credentials::Refused,
        deadline::Deadline,
        json::{self, written},
        status::CallError,
    },
    decision::{Asks, EntryPoint, Input, Query, Revision, Value, Verdict, code},
};

/// A question to the data API.
struct Question {
    entry: EntryPoint,
    input: Input,
    parameters: Parameters,
    headers: HeaderMap,
    deadline: Deadline,
    began: Instant,
    /// How long reading the input took.
    parsing: Duration,
}

/// A question's answer, settled.
struct Decision {
    verdict: Verdict,
    id: String,
    took: Duration,
}

pub(super) async fn get(State(door): Shared, uri: Uri, headers: HeaderMap) -> Response {
    let began = Instant::now();
    let read = || {
        let parameters = Parameters::of(&uri)?;
        let input =
            match &parameters.input {
                Some(text) => Input::Document(json::any(text.as_bytes()).map_err(|fault| {
                    Fault::invalid(format!("parameter contains malformed input document: it {fault}"))
                })?),
                None => Input::Undefined,
            };
        let entry = entry(&uri, "/v1/data")?;
        let (deadline, parsing) = (door.deadline(), began.elapsed());
        Ok(Question { entry, input, parameters, headers, deadline, began, parsing })
    };
    let answer = match read() {
        Ok(question) => door.v1(question, None).await,
        Err(fault) => Err(fault),
    };
    door.finish(answer).await
}

pub(super) async fn post(State(door): Shared, request: Request) -> Response {
    let answer = async {
        let began = Instant::now();
        let (entry, parameters) = (entry(request.uri(), "/v1/data")?, Parameters::of(request.uri())?);
        let deadline = door.deadline();
        let (headers, text) = body::text(request, door.limits, deadline).await?;
        let parse = Instant::now();
        let (input, _) = body::member(body::document(&headers, text)?, "input")?;
        // As in OPA, an input that is `null` is none.
        let input = input.filter(|input| *input != Value::Null);
        let warning = input
            .is_none()
            .then(|| json!({ "code": "api_usage_warning", "message": "'input' key missing from the request" }));
        let input = input.map_or(Input::Undefined, Input::Document);
        let parsing = parse.elapsed();
        door.v1(Question { entry, input, parameters, headers, deadline, began, parsing }, warning).await
    };
    let answer = answer.await;
    door.finish(answer).await
}

pub(super) async fn v0(State(door): Shared, request: Request) -> Response {
    let answer = match entry(request.uri(), "/v0/data") {
        Ok(entry) => door.v0(entry, request).await,
        Err(fault) => Err(fault),
    };
    door.finish(answer).await
}

pub(super) async fn default_decision(State(door): Shared, request: Request) -> Response {
    let answer = door.v0(door.peers.decider.default_policy().clone(), request).await;
    door.finish(answer).await
}

impl Door {
    /// The body is the input, and the answer the document (OPA's "Data API v0" and "Query API, default decision").
    async fn v0(&self, entry: EntryPoint, request: Request) -> Result<Answer, Fault> {
        let began = Instant::now();
        let parameters = Parameters::of(request.uri())?;
        let deadline = self.deadline();
        let (headers, text) = body::text(request, self.limits, deadline).await?;
        let parse = Instant::now();
        let input = Input::Document(body::document(&headers, text)?.unwrap_or_default());
        let parsing = parse.elapsed();
        let pretty = parameters.pretty;
        let question = Question { entry, input, parameters, headers, deadline, began, parsing };
        let Decision { verdict, id, .. } = self.decision(&question).await?;
        let headers = answer::decided(&id, &verdict.revision);
        let Some(value) = &verdict.value else {
            let message = format!("document undefined: {}", question.entry);
            return Err(Fault::new(StatusCode::NOT_FOUND, UNDEFINED, message).with(headers));
        };
        Ok(Answer { headers, ..Answer::of(written(value), &question.headers, pretty) })
    }

    async fn v1(&self, question: Question, warning: Option<Json>) -> Result<Answer, Fault> {
        let Decision { verdict, id, took } = self.decision(&question).await?;
        let Question { parameters, headers, began, parsing, .. } = question;
        let mut body = Map::new();
        let mut put = |name: &str, member: Option<Json>| member.map(|member| body.insert(name.to_owned(), member));
        put("result", verdict.value.as_deref().map(written));
        put("decision_id", Some(id.as_str().into()));
        put("warning", warning);
        put("provenance", parameters.provenance.then(|| provenance(&verdict.revision)));
        put("explanation", parameters.explain.map(|explain| explained(&verdict, explain, parameters.pretty)));
        let measured = parameters.metrics || parameters.instrument;
        put("metrics", measured.then(|| figures(began.elapsed(), took, parsing)));
        let named = answer::decided(&id, &verdict.revision);
        Ok(Answer { headers: named, ..Answer::of(body.into(), &headers, parameters.pretty) })
    }

    /// Decides. What is no document, and not undefined either, is an error.
    async fn decision(&self, question: &Question) -> Result<Decision, Fault> {
        let Question { entry, input, parameters, deadline, .. } = question;
        check_depth(input)?;
        let query = Query {
            policy: Some(entry.clone()),
            input: input.clone(),
            asks: Asks::Document,
            explain: parameters.explain.is_some(),
            strict: parameters.strict,
            ..Query::default()
        };
        let asked = self.asked(query)?;
        let started = Instant::now();
        let (query, verdict) = match asked
            .admit(&*self.peers.credentials, |query: &Query| self.peers.decider.passes(query), deadline.left()?)
            .await?
        {
            Ok(query) => {
                let verdict = self.peers.decider.decide(&query, deadline.left()?).await;
                (query, verdict.ok_or(CallError::PoliciesNotReady)?)
            }
            Err(refused) => {
                let Refused { query, verdict } = *refused;
                let snapshot = self.peers.decider.pin().ok_or(CallError::PoliciesNotReady)?;
                (query, Verdict { revision: snapshot.revision().clone(), ..verdict })
            }
        };
        let took = started.elapsed();
        let id = (self.peers.ids)();
        let verdict = self.settle((&query, verdict), started, (&id, &question.headers)).verdict().await;
        settled(&verdict, &id)?;
        Ok(Decision { verdict, id, took })
    }
}

/// Whether a settled verdict may be answered: it has a document, or there is none.
pub(super) fn settled(verdict: &Verdict, id: &str) -> Result<(), Fault> {
    let undefined = || !verdict.is_allow() && verdict.reasons.iter().all(|reason| reason.code == code::NO_DECISION);
    if verdict.value.is_some() || undefined() {
        return Ok(());
    }
    Err(Fault::of_verdict(verdict).with(answer::decided(id, &verdict.revision)))
}

/// The path as a reference, by its parts.
fn entry(uri: &Uri, prefix: &str) -> Result<EntryPoint, Fault> {
    path::parts(uri.path(), prefix).map(EntryPoint::from_parts)
}

pub(super) fn check_depth(input: &Input) -> Result<(), Fault> {
    match input {
        Input::Document(document) if !json::is_shallow(document) => {
            let most = crate::decision::MAX_DEPTH;
            Err(Fault::invalid(format!("the input nests deeper than {most} levels")))
        }
        _ => Ok(()),
    }
}

pub(super) fn provenance(revision: &Revision) -> Json {
    let bundles = revision.bundles.iter().map(|(name, revision)| (name.clone(), json!({ "revision": revision })));
    let bundles: Map<String, Json> = bundles.collect();
    let mut provenance = json!({
        "version": env!("CARGO_PKG_VERSION"), "build_commit": "", "build_timestamp": "", "build_hostname": "",
        "revision": revision.digest.to_string(),
    });
    if let Some(members) = provenance.as_object_mut().filter(|_| !bundles.is_empty()) {
        members.insert("bundles".to_owned(), bundles.into());
    }
    provenance
}

pub(super) fn figures(whole: Duration, deciding: Duration, parsing: Duration) -> Json {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    json!({
        "timer_rego_input_parse_ns": nanoseconds(parsing),
        "timer_rego_query_eval_ns": nanoseconds(deciding),
        "timer_server_handler_ns": nanoseconds(whole),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_document_and_its_absence_are_answers() {
        let value = || Some(Box::new(Value::Bool(true)));
        assert!(settled(&Verdict { value: value(), ..Verdict::default() }, "x").is_ok());
        assert!(settled(&Verdict::deny_for(code::NO_DECISION, "m", None), "x").is_ok());
        for code in [code::EVALUATION_ERROR, code::BUDGET_EXCEEDED, code::INTERNAL_ERROR, code::NOT_RECORDED] {
            assert!(settled(&Verdict::deny_for(code, "m", None), "x").is_err(), "{code}");
        }
        let allow = Verdict { effect: crate::decision::Effect::Allow, ..Verdict::default() };
        assert!(settled(&allow, "x").is_err(), "an allow without a document");
    }
}
