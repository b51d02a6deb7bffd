//! The door over HTTP: `POST /mcp/v1/check` and `POST /mcp/v1/filter-tools`.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::FutureExt as _;
use serde_json::{Map, Value as Json};

use super::{
    Check, Checked, Door,
    headers::Headers,
    mapping::{Caller, Shown},
    violation,
};
use crate::{
    api::{
        authzen::{self, answer, request},
        credentials::Credential,
        deadline::Deadline,
        json::{self, written, written_object},
        status::CallError,
    },
    decision::{Object, Revision, Value},
    identity::Proof,
};

/// The door, without a listener.
pub fn router(door: Door) -> Router {
    Router::new()
        .route("/mcp/v1/check", post(check))
        .route("/mcp/v1/filter-tools", post(filter_tools))
        .with_state(Arc::new(door))
}

async fn check(State(door): State<Arc<Door>>, request: Request) -> Response {
    let _call = door.observer.in_flight();
    let named = request_id(request.headers());
    let id = named.clone().ok().flatten();
    let answer = async {
        let request_id = text_of(named?.as_ref());
        let (deadline, mut object) = read(&door, request).await?;
        let check = Check {
            request_id,
            caller: caller(&mut object)?,
            message: message(&mut object)?,
            headers: headers(object.remove("headers"))?,
            annotations: member(&mut object, "untrusted_annotations")?,
        };
        let Checked { verdict, decision_id, response } = door.check(check, deadline).await?;
        let revision = verdict.revision.clone();
        let mut body = answer::verdict(verdict, &decision_id);
        if let (Some(response), Json::Object(members)) = (response, &mut body) {
            members.insert("response".to_owned(), sent_back(response));
        }
        Ok((body, revision))
    };
    finish(&door, AssertUnwindSafe(answer).catch_unwind().await, id)
}

async fn filter_tools(State(door): State<Arc<Door>>, request: Request) -> Response {
    let _call = door.observer.in_flight();
    let named = request_id(request.headers());
    let id = named.clone().ok().flatten();
    let answer = async {
        let request_id = text_of(named?.as_ref());
        let (deadline, mut object) = read(&door, request).await?;
        let caller = caller(&mut object)?;
        let result = member(&mut object, "result")?.ok_or_else(|| violation("result", "is missing"))?;
        let (result, revision) = door.filter(result, caller, &request_id, deadline).await?;
        Ok((serde_json::json!({ "result": written_object(&result) }), revision))
    };
    finish(&door, AssertUnwindSafe(answer).catch_unwind().await, id)
}

/// The request's id, if it has one; as AuthZEN's it comes back, and stands in the record.
fn request_id(headers: &HeaderMap) -> Result<Option<HeaderValue>, CallError> {
    authzen::request_id(headers).map_err(|violation| CallError::InvalidQuery(vec![violation]))
}

fn text_of(id: Option<&HeaderValue>) -> String {
    id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
}

async fn read(door: &Door, request: Request) -> Result<(Deadline, Object), CallError> {
    let deadline = Deadline::of_call(door.config.request_timeout);
    let object = request::object(request, door.config.max_body_bytes, deadline).await?;
    Ok((deadline, object))
}

fn caller(object: &mut Object) -> Result<Caller, CallError> {
    let server = text(object, "server")?.ok_or_else(|| violation("server", "is missing"))?;
    let metadata = text(object, "resource_metadata")?;
    let shown = shown(object)?;
    Caller::new(server, metadata, shown, member(object, "context")?.unwrap_or_default())
}

/// The claims of a token, or the token itself with what was verified of the key that it is bound to.
fn shown(object: &mut Object) -> Result<Shown, CallError> {
    let proof = member(object, "proof")?;
    match (member(object, "claims")?, text(object, "token")?) {
        (Some(_), Some(_)) => Err(violation("token", "stands beside `claims`")),
        (_, None) if proof.is_some() => Err(violation("proof", "stands without a `token`")),
        (Some(claims), None) => Ok(Shown::Claims(claims)),
        (None, None) => Ok(Shown::Nothing),
        (None, Some(token)) => {
            let mut proof = proof.unwrap_or_default();
            let proof = Proof { jkt: text(&mut proof, "jkt")?, x5t_s256: text(&mut proof, "x5t_s256")? };
            Ok(Shown::Credential(Credential { token: token.into(), proof }))
        }
    }
}

/// The message's bytes: as they came, in Base64 or as a text, or as JSON in its place.
fn message(object: &mut Object) -> Result<Vec<u8>, CallError> {
    match (object.remove("message"), text(object, "message_base64")?) {
        (Some(Value::String(text)), None) => Ok(text.into_bytes()),
        (Some(message), None) => Ok(written(&message).to_string().into_bytes()),
        (None, Some(encoded)) => STANDARD.decode(encoded).map_err(|_| violation("message_base64", "is not Base64")),
        (None, None) => Err(violation("message", "is missing")),
        (Some(_), Some(_)) => Err(violation("message", "stands beside `message_base64`")),
    }
}

/// Headers by name, each a text or several.
fn headers(given: Option<Value>) -> Result<Option<Headers>, CallError> {
    let wrong = || violation("headers", "is not an object of strings, or of arrays of strings");
    let given = match given {
        None => return Ok(None),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(wrong()),
    };
    let mut headers = Headers::default();
    for (name, value) in given {
        let values = if let Value::Array(values) = value { values } else { vec![value] };
        for value in values {
            let Value::String(value) = value else { return Err(wrong()) };
            headers.add(&name, value);
        }
    }
    Ok(Some(headers))
}

fn text(object: &mut Object, name: &str) -> Result<Option<String>, CallError> {
    match object.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(violation(name, "is not a string")),
    }
}

fn member(object: &mut Object, name: &str) -> Result<Option<Object>, CallError> {
    match object.remove(name) {
        None => Ok(None),
        // A result has lists of its own depth; each tool in it is looked at.
        Some(Value::Object(members)) if name != "result" && json::too_deep(&members) => {
            Err(violation(name, "is nested too deep"))
        }
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(violation(name, "is not an object")),
    }
}

fn sent_back(response: super::Response) -> Json {
    let headers: Map<String, Json> = response.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let status = response.status.into();
    let mut members = Map::from_iter([("status".to_owned(), status), ("headers".to_owned(), headers.into())]);
    if let Some(body) = response.body {
        members.insert("body".to_owned(), body);
    }
    members.into()
}

type Caught = Result<Result<(Json, Revision), CallError>, Box<dyn std::any::Any + Send>>;

/// A verdict is 200; an error is a status and a line of text, and an enforcement point must take it for a deny.
fn finish(door: &Door, answer: Caught, id: Option<HeaderValue>) -> Response {
    let mut response = match answer {
        Ok(Ok((body, revision))) => {
            let mut response = ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("{} {}", revision.sequence, revision.digest)) {
                response.headers_mut().insert("verdict-revision", value);
            }
            response
        }
        Ok(Err(error)) => {
            door.observer.failed(error.code().1);
            let mut response = fault(error.http_status(), &error.to_string());
            if error.http_status() == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            response
        }
        Err(_) => fault(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
    };
    if let Some(id) = id {
        response.headers_mut().insert(authzen::REQUEST_ID, id);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn fault(status: StatusCode, message: &str) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{message}\n")).into_response()
}
