//! Queries in Rego, of whoever may ask anything: off unless configured.

use std::time::{Duration, Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use serde_json::{Map, Value as Json};

use super::{
    Door, Shared,
    answer::{self, Answer},
    body,
    data::{check_depth, figures, settled},
    fault::{Fault, INVALID_OPERATION},
    parameters::Parameters,
};
use crate::{
    api::{caller, credentials::Refused, deadline::Deadline, json::written, status::CallError},
    decision::{AdHoc, Input, Query, Value, Verdict},
};

/// A query as it was asked.
struct Question {
    text: String,
    input: Input,
    parameters: Parameters,
    headers: HeaderMap,
    deadline: Deadline,
    began: Instant,
}

pub(super) async fn get(State(door): Shared, uri: Uri, headers: HeaderMap) -> Response {
    let began = Instant::now();
    let answer = async {
        door.may_query()?;
        let mut parameters = Parameters::of(&uri)?;
        let text = parameters.query.take().ok_or_else(|| Fault::invalid("missing parameter 'q'"))?;
        let (deadline, input) = (door.deadline(), Input::Undefined);
        door.query(Question { text, input, parameters, headers, deadline, began }).await
    };
    let answer = answer.await;
    door.finish(answer).await
}

pub(super) async fn post(State(door): Shared, request: Request) -> Response {
    let began = Instant::now();
    let answer = async {
        door.may_query()?;
        let parameters = Parameters::of(request.uri())?;
        let deadline = door.deadline();
        let (headers, text) = body::text(request, door.limits, deadline).await?;
        let (text, mut rest) = body::member(body::document(&headers, text)?, "query")?;
        let Some(Value::String(text)) = text else {
            return Err(Fault::invalid("the body has no `query` that is a string"));
        };
        let input =
            rest.remove("input").filter(|input| *input != Value::Null).map_or(Input::Undefined, Input::Document);
        door.query(Question { text, input, parameters, headers, deadline, began }).await
    };
    let answer = answer.await;
    door.finish(answer).await
}

impl Door {
    fn may_query(&self) -> Result<(), Fault> {
        if self.config.query {
            return Ok(());
        }
        let message = "queries in Rego are not answered here; set `opa.query` to `true` if whoever reaches this port may \
                       ask anything of policies and data, or ask for a document by its path (`/v1/data/…`)";
        Err(Fault::new(StatusCode::FORBIDDEN, INVALID_OPERATION, message))
    }

    async fn query(&self, asked: Question) -> Result<Answer, Fault> {
        let Question { text, input, parameters, headers, deadline, began } = asked;
        check_depth(&input)?;
        if !caller::is_placed() {
            // No gate stands before such a query.
            return Err(CallError::Overloaded(Duration::from_secs(1)).into());
        }
        let held = self.peers.decider.hold().ok_or(CallError::PoliciesNotReady)?;
        let started = Instant::now();
        let asked = self.asked(Query { input, strict: parameters.strict, ..Query::default() })?;
        let (query, verdict) = match asked.admit(&*self.peers.credentials, |_: &Query| true, deadline.left()?).await? {
            Ok(query) => {
                if !caller::is_placed() {
                    // It lost its place while an issuer was asked.
                    return Err(CallError::Overloaded(Duration::from_secs(1)).into());
                }
                let ad_hoc = AdHoc { text, input: query.input.clone(), strict: parameters.strict };
                let verdict = held.ad_hoc(ad_hoc, deadline.left()?).await.map_err(|faults| {
                    let parsing = faults.iter().any(|fault| fault.code == "rego_parse_error");
                    let step = if parsing { "parsing" } else { "compiling" };
                    Fault::of_text(&format!("error(s) occurred while {step} query"), &faults)
                })?;
                (query, verdict)
            }
            Err(refused) => {
                let Refused { query, verdict } = *refused;
                (query, Verdict { revision: held.revision().clone(), ..verdict })
            }
        };
        let took = started.elapsed();
        let id = (self.peers.ids)();
        // An answer in data, not a decision: it counts, and is recorded, as a deny.
        let verdict = self.settle((&query, verdict), started, (&id, &headers)).verdict().await;
        settled(&verdict, &id)?;
        let mut body = Map::new();
        if let Some(bindings) = &verdict.value {
            body.insert("result".to_owned(), written(bindings));
        }
        if parameters.metrics || parameters.instrument {
            let whole = began.elapsed();
            body.insert("metrics".to_owned(), figures(whole, took, whole.saturating_sub(took)));
        }
        if parameters.explain.is_some() {
            body.insert("explanation".to_owned(), Json::Array(Vec::new()));
        }
        let named = answer::decided(&id, &verdict.revision);
        Ok(Answer { headers: named, ..Answer::of(body.into(), &headers, parameters.pretty) })
    }
}
