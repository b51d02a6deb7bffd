//! Changes of data that no bundle owns: off unless configured, as whoever reaches this port may then make them.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header::IF_NONE_MATCH},
    response::Response,
};
use serde_json::Value as Json;

use super::{
    Door, Shared,
    answer::Answer,
    body,
    fault::{CONFLICT, Fault, INVALID_OPERATION, INVALID_PARAMETER, NOT_FOUND},
    path,
};
use crate::{
    api::{
        administration::{Expected, Operation, Patch, Refusal, operations},
        json::written,
        status::CallError,
    },
    decision::{Asks, EntryPoint, Input, MAX_DEPTH, Query},
};

/// How often a change is tried again that another one came before.
const TRIES: usize = 4;

pub(super) async fn put(State(door): Shared, request: Request) -> Response {
    let answer = async {
        let parts = door.writable(request.uri())?;
        let (headers, text) = body::text(request, door.limits, door.deadline()).await?;
        let value = body::document(&headers, text)?;
        let value = value.ok_or_else(|| Fault::invalid("body contains malformed input document: it is empty"))?;
        door.put(&parts, &written(&value), &headers).await
    };
    let answer = answer.await;
    door.finish(answer).await
}

pub(super) async fn patch(State(door): Shared, request: Request) -> Response {
    let answer = async {
        let parts = door.writable(request.uri())?;
        let (_, text) = body::text(request, door.limits, door.deadline()).await?;
        let operations = read(&text.bytes, &pointer(&parts)).map_err(Fault::invalid)?;
        door.change(operations, Expected::default()).await.map_err(|refusal| refused(&refusal))?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    };
    let answer = answer.await;
    door.finish(answer).await
}

pub(super) async fn delete(State(door): Shared, uri: Uri) -> Response {
    let answer = async {
        let parts = door.writable(&uri)?;
        door.change(vec![Operation::Remove { path: pointer(&parts) }], Expected::default())
            .await
            .map_err(|refusal| refused(&refusal))?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    };
    let answer = answer.await;
    door.finish(answer).await
}

impl Door {
    /// The path that is to be changed, where anything is.
    fn writable(&self, uri: &Uri) -> Result<Vec<String>, Fault> {
        if !self.config.write {
            let message = "data is not changed here; set `opa.write` to `true` if whoever reaches this port may change \
                           the data that no bundle owns, or use `verdict policy patch`";
            return Err(Fault::new(StatusCode::FORBIDDEN, INVALID_OPERATION, message));
        }
        let parts = path::parts(uri.path(), "/v1/data")?;
        // Each part may cost a try of its own.
        if parts.len() > MAX_DEPTH {
            return Err(Fault::invalid(format!("the path has more than {MAX_DEPTH} parts, which no data has")));
        }
        Ok(parts)
    }

    async fn change(&self, operations: Vec<Operation>, expected: Expected) -> Result<(), Refusal> {
        self.peers.administration.patch(Patch { operations, expected }).await.map(drop)
    }

    /// Puts a value in place of what is there, or where nothing is, together with the objects that it is in.
    async fn put(&self, parts: &[String], value: &Json, headers: &HeaderMap) -> Result<Answer, Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            let active = self.peers.administration.status().active;
            let expected = Expected { sequence: active.map(|active| active.revision.sequence), digest: None };
            if headers.get(IF_NONE_MATCH).is_some_and(|tag| tag == "*") && self.exists(parts).await? {
                return Ok(Answer::empty(StatusCode::NOT_MODIFIED));
            }
            match self.place(parts, value, expected).await {
                Ok(()) => return Ok(Answer::empty(StatusCode::NO_CONTENT)),
                Err(Refusal::Conflict { .. }) if tries < TRIES => {}
                Err(refusal) => return Err(refused(&refusal)),
            }
        }
    }

    /// On one revision: of what does not fit it, the next way is tried.
    async fn place(&self, parts: &[String], value: &Json, expected: Expected) -> Result<(), Refusal> {
        let (path, value) = (pointer(parts), value.clone());
        let mut above = parts.len();
        loop {
            let mut operations: Vec<Operation> = (above..parts.len())
                .filter_map(|length| parts.get(..length))
                .map(|parts| Operation::Add { path: pointer(parts), value: Json::Object(serde_json::Map::new()) })
                .collect();
            operations.push(Operation::Add { path: path.clone(), value: value.clone() });
            match self.change(operations, expected).await {
                // The path `/a/b` needs `a`.
                Err(Refusal::PatchFailed { .. }) if above > 1 => above -= 1,
                other => return other,
            }
        }
    }

    async fn exists(&self, parts: &[String]) -> Result<bool, Fault> {
        let entry = Some(EntryPoint::from_parts(parts.to_vec()));
        let query = Query { policy: entry, input: Input::Undefined, asks: Asks::Document, ..Query::default() };
        let pinned = self.peers.decider.pin().ok_or(CallError::PoliciesNotReady)?;
        // Whoever may change data may know whether it is there; the question is ours.
        Ok(pinned.decide_own(&query, self.limits.request_timeout).await.value.is_some())
    }
}

/// A JSON pointer (RFC 6901 §3).
fn pointer(parts: &[String]) -> String {
    parts.iter().flat_map(|part| ["/".to_owned(), part.replace('~', "~0").replace('/', "~1")]).collect()
}

/// A patch whose paths are below `prefix`; as with OPA, their first `/` may be missing.
fn read(bytes: &[u8], prefix: &str) -> Result<Vec<Operation>, String> {
    let mut patch: Json = serde_json::from_slice(bytes).map_err(|error| format!("the patch is no JSON: {error}"))?;
    for operation in patch.as_array_mut().into_iter().flatten() {
        for name in ["path", "from"] {
            if let Some(Json::String(path)) = operation.get_mut(name) {
                let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
                *path = format!("{prefix}{slash}{path}");
            }
        }
    }
    operations(patch.to_string().as_bytes()).map_err(|fault| format!("the patch {fault}"))
}

fn refused(refusal: &Refusal) -> Fault {
    let message = refusal.to_string();
    match refusal {
        Refusal::PatchFailed { .. } => {
            Fault::new(StatusCode::NOT_FOUND, NOT_FOUND, format!("storage_not_found_error: {message}"))
        }
        Refusal::RootOwned { .. } | Refusal::InvalidBundle { .. } | Refusal::Overlap(_) | Refusal::TestsFailed(_) => {
            Fault::invalid(message)
        }
        Refusal::Conflict { .. } => Fault::new(StatusCode::CONFLICT, CONFLICT, message),
        Refusal::NotReady => CallError::PoliciesNotReady.into(),
        Refusal::Stopping => CallError::Draining.into(),
        Refusal::Busy => Fault::new(StatusCode::TOO_MANY_REQUESTS, INVALID_PARAMETER, message),
        _ => Fault::internal(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_below_its_path() {
        let prefix = pointer(&["a/b".to_owned(), "~c".to_owned()]);
        assert_eq!(prefix, "/a~1b/~0c");
        let patch = br#"[{"op": "add", "path": "x/-", "value": 1}, {"op": "move", "from": "/y", "path": ""}]"#;
        let wanted = [
            Operation::Add { path: "/a~1b/~0c/x/-".to_owned(), value: 1.into() },
            Operation::Move { from: "/a~1b/~0c/y".to_owned(), path: "/a~1b/~0c".to_owned() },
        ];
        assert_eq!(read(patch, &prefix).unwrap(), wanted);
        for refused in [&b"{}"[..], b"[]", b"[", br#"[{"op": "add", "path": 1, "value": 1}]"#, b"[1]"] {
            assert!(read(refused, &prefix).is_err());
        }
    }
}
