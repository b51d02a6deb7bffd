//! `verdict.v1.McpService`: the MCP door of [`crate::api::mcp`], over gRPC. Messages are taken apart here, whole, so that
//! a new field of the contract breaks the build; what they mean is the door's.

use std::sync::Arc;

use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{
    Config, DecisionIds, caught,
    deadline::Deadline,
    proto::{
        FilterToolsRequest, FilterToolsResponse, McpCaller, McpHeader, McpHeaders, McpResponse, McpServiceCheckRequest,
        McpServiceCheckResponse, mcp_caller::Identity, mcp_service_server::McpService,
    },
    question, response, wire,
};
use crate::{
    api::{
        Observer, authzen,
        credentials::Credentials,
        json,
        mcp::{self, Caller, Check, Checked, Headers, Shown, violation},
        status::CallError,
    },
    decision::{Decider, Object},
};

/// The MCP service.
#[derive(Clone)]
pub struct Mcp(Arc<Inner>);

struct Inner {
    door: mcp::Door,
    observer: Arc<dyn Observer>,
    config: Config,
}

impl Mcp {
    /// A service that asks this decider, and whose a token is, within the limits of the gRPC door.
    pub fn new(
        asked: (Arc<Decider>, Arc<dyn Credentials>),
        observer: Arc<dyn Observer>,
        ids: DecisionIds,
        config: Config,
    ) -> Self {
        let limits = mcp::Config {
            max_body_bytes: config.max_message_bytes,
            request_timeout: config.request_timeout,
            max_tools: config.max_batch_items,
        };
        let door = mcp::Door::new(asked, Arc::clone(&observer), ids, limits);
        Self(Arc::new(Inner { door, observer, config }))
    }

    async fn answer<T>(&self, answer: impl Future<Output = Result<T, CallError>>) -> Result<Response<T>, Status> {
        let _call = self.0.observer.in_flight();
        caught(&*self.0.observer, answer).await
    }
}

#[tonic::async_trait]
impl McpService for Mcp {
    async fn check(
        &self,
        request: Request<McpServiceCheckRequest>,
    ) -> Result<Response<McpServiceCheckResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), self.0.config.request_timeout);
        self.answer(async {
            let request_id = request_id(request.metadata())?;
            let McpServiceCheckRequest { message, caller, headers, untrusted_annotations } = request.into_inner();
            let check = Check {
                message,
                caller: asked_by(caller)?,
                headers: headers.map(self::headers),
                annotations: untrusted_annotations
                    .map(|annotations| object("untrusted_annotations", annotations))
                    .transpose()?,
                request_id: request_id.clone(),
            };
            let Checked { verdict, decision_id, response } = self.0.door.check(check, deadline).await?;
            Ok(McpServiceCheckResponse {
                verdict: Some(response::verdict(verdict, decision_id, request_id)),
                response: response.as_ref().map(sent_back),
            })
        })
        .await
    }

    async fn filter_tools(
        &self,
        request: Request<FilterToolsRequest>,
    ) -> Result<Response<FilterToolsResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), self.0.config.request_timeout);
        self.answer(async {
            let request_id = request_id(request.metadata())?;
            let FilterToolsRequest { result_json, caller } = request.into_inner();
            let caller = asked_by(caller)?;
            let result = json::object(&result_json).map_err(|fault| violation("result_json", fault))?;
            let (result, revision) = self.0.door.filter(result, caller, &request_id, deadline).await?;
            let result_json = serde_json::Value::from(json::written_object(&result)).to_string().into_bytes();
            Ok(FilterToolsResponse { result_json, revision: Some(response::revision(revision)) })
        })
        .await
    }
}

fn request_id(metadata: &MetadataMap) -> Result<String, CallError> {
    let id = authzen::request_id(metadata.as_ref()).map_err(|violation| CallError::InvalidQuery(vec![violation]))?;
    Ok(id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned())
}

fn asked_by(caller: Option<McpCaller>) -> Result<Caller, CallError> {
    let McpCaller { server, resource_metadata, context, identity } =
        caller.ok_or_else(|| violation("caller", "is missing"))?;
    if server.is_empty() {
        return Err(violation("server", "is missing"));
    }
    let shown = match identity {
        None => Shown::Nothing,
        Some(Identity::Claims(claims)) => Shown::Claims(object("claims", claims)?),
        Some(Identity::ClaimsJson(text)) => {
            Shown::Claims(json::object(&text).map_err(|fault| violation("claims_json", fault))?)
        }
        Some(Identity::Credential(shown)) => Shown::Credential(question::credential(shown)),
    };
    let context = context.map_or(Ok(Object::new()), |context| object("context", context))?;
    Caller::new(server, resource_metadata, shown, context)
}

fn headers(given: McpHeaders) -> Headers {
    let McpHeaders { headers: given } = given;
    let mut headers = Headers::default();
    for McpHeader { name, value } in given {
        headers.add(&name, value);
    }
    headers
}

/// A Struct's members, if they may be in a question.
fn object(field: &str, object: wire::Object) -> Result<Object, CallError> {
    let wire::Object { members, defect } = object;
    match defect {
        Some(defect) => Err(violation(field, defect.describe())),
        None if json::too_deep(&members) => Err(violation(field, "is nested too deep")),
        None => Ok(members),
    }
}

fn sent_back(response: &mcp::Response) -> McpResponse {
    let headers =
        response.headers().map(|(name, value)| McpHeader { name: name.to_owned(), value: value.to_owned() }).collect();
    let body = response.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
    McpResponse { status: response.status.into(), headers, body }
}
