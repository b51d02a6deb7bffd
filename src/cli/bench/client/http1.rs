//! One HTTP/1.1 connection that is kept alive, and asks a question after the other; reads of the answers only what is
//! counted.

use std::collections::HashMap;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tonic::Status;
use verdict::{api::Address, decision::code};

use super::{Answer, PATIENCE};
use crate::cli::bench::questions::Method;

/// What OPA's API says of a budget that was spent.
const SPENT: &[u8] = b"eval_cancel_error";

/// A connection, and the path that it asks.
pub(in crate::cli::bench) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    path: &'static str,
    read: fn(&[u8]) -> serde_json::Result<Answer>,
}

/// Opens `count` connections to the HTTP port of a server.
pub(in crate::cli::bench) async fn connect(
    address: &Address,
    method: Method,
    count: usize,
) -> anyhow::Result<Vec<Connection>> {
    let Address::Tcp(socket) = address else { bail!("`{address}` is no TCP address") };
    let read = if method == Method::Document { document } else { evaluation };
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(socket)).await?;
        let stream = stream.with_context(|| format!("can't reach `{address}`"))?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        let host = HeaderValue::try_from(address.to_string())?;
        connections.push(Connection { sender, host, path: method.path(), read });
    }
    Ok(connections)
}

impl Connection {
    /// Sends `body`.
    pub(super) async fn ask(&mut self, body: Bytes) -> Result<Answer, Status> {
        let unavailable = |error: hyper::Error| Status::unavailable(error.to_string());
        let mut request = Request::post(self.path).body(Full::new(body)).map_err(|_| Status::internal("the path"))?;
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.sender.ready().await.map_err(unavailable)?;
        let response = self.sender.send_request(request).await.map_err(unavailable)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(unavailable)?.to_bytes();
        // OPA's API has no verdict for what took too long, where other doors deny.
        if status == StatusCode::INTERNAL_SERVER_ERROR && body.windows(SPENT.len()).any(|part| part == SPENT) {
            return Ok(Answer::of(false, true));
        }
        if status != StatusCode::OK {
            return Err(Status::unknown(format!("{status}: {}", String::from_utf8_lossy(&body).trim_end())));
        }
        (self.read)(&body).map_err(|error| Status::internal(error.to_string()))
    }
}

/// An answer of AuthZEN.
#[derive(Deserialize)]
struct Evaluation {
    decision: bool,
    #[serde(default)]
    context: Context,
}

#[derive(Default, Deserialize)]
struct Context {
    #[serde(default)]
    reason_admin: HashMap<String, String>,
}

/// An answer of OPA's data API, of a rule that is as the generated policy's.
#[derive(Deserialize)]
struct Document {
    result: Option<Decision>,
}

#[derive(Deserialize)]
struct Decision {
    allow: bool,
}

fn evaluation(body: &[u8]) -> serde_json::Result<Answer> {
    let Evaluation { decision, context } = serde_json::from_slice(body)?;
    // What went wrong is among the reasons here.
    let failed = context.reason_admin.keys().any(|reason| code::ALL.contains(&reason.as_str()));
    Ok(Answer::of(decision, failed))
}

fn document(body: &[u8]) -> serde_json::Result<Answer> {
    let Document { result } = serde_json::from_slice(body)?;
    Ok(Answer::of(result.as_ref().is_some_and(|decision| decision.allow), result.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_answers_say() {
        let [allow, deny, failed] = [(true, false), (false, false), (false, true)].map(|(a, f)| Answer::of(a, f));
        for (text, answer) in [
            (r#"{"decision":true}"#, allow),
            (r#"{"context":{"decision_id":"x","reason_admin":{"no_role":"no"}},"decision":false}"#, deny),
            (r#"{"context":{"reason_admin":{"budget_exceeded":"no"}},"decision":false}"#, failed),
        ] {
            assert_eq!(evaluation(text.as_bytes()).unwrap(), answer, "{text}");
        }
        for (text, answer) in [
            (r#"{"decision_id":"x","result":{"allow":true,"reasons":[{"code":"c"}]}}"#, allow),
            (r#"{"result":{"allow":false}}"#, deny),
            (r#"{"decision_id":"x"}"#, failed),
        ] {
            assert_eq!(document(text.as_bytes()).unwrap(), answer, "{text}");
        }
        assert!(evaluation(b"{}").is_err() && document(b"[]").is_err());
    }
}
