//! The MCP door, over HTTP and gRPC: questions that messages are, put as those messages.

use serde_json::{Value as Json, json};
use tonic::transport::Channel;
use verdict::api::grpc::proto::{
    Effect, McpCaller, McpServiceCheckRequest, mcp_caller::Identity, mcp_service_client::McpServiceClient,
};

use crate::{
    Question, Told,
    http_client::post,
    support::{Server, object},
};

/// Members of `context` that the message makes; what else is there, the enforcement point adds.
const MADE: [&str; 4] = ["agent", "arguments", "notification", "params"];

/// A message, and what goes with it.
struct Asked {
    message: Json,
    server: Json,
    claims: Option<Json>,
    context: Json,
}

/// The message that a question is; none where no message is asked as that.
fn asked(question: &Question) -> Option<Asked> {
    let query: Json = serde_json::from_str(question.query.get()).unwrap();
    let server = query["resource"]["properties"].get("server")?.clone();
    let mut context = query["context"].as_object()?.clone();
    let [_, arguments, notification, params] = MADE.map(|name| context.remove(name));
    let mut params = params?;
    if let Some(arguments) = arguments {
        params["arguments"] = arguments;
    }
    let mut message = json!({"jsonrpc": "2.0", "method": query["action"]["name"], "params": params});
    if notification? == false {
        message["id"] = json!(7);
    }
    let claims = query["subject"].pointer("/properties/claims").cloned();
    Some(Asked { message, server, claims, context: context.into() })
}

pub(crate) async fn http(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut answers = Vec::new();
    for question in questions {
        let Some(Asked { message, server: mcp, claims, context }) = asked(question) else {
            answers.push(None);
            continue;
        };
        let mut body = json!({"message": message.to_string(), "server": mcp, "context": context});
        if let Some(claims) = claims {
            body["claims"] = claims;
        }
        let answer = post(server, "/mcp/v1/check", body.to_string()).await;
        let digest = answer.headers["verdict-revision"].split(' ').nth(1).unwrap();
        let told = answer.ok();
        let codes = told["context"]["reason_admin"].as_object().into_iter().flatten().map(|(code, _)| code.clone());
        answers.push(Some(Told::new(told["decision"].as_bool().unwrap(), codes, digest)));
    }
    answers
}

pub(crate) async fn grpc(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut client: McpServiceClient<Channel> = McpServiceClient::new(server.channel().await);
    let mut answers = Vec::new();
    for question in questions {
        let Some(Asked { message, server, claims, context }) = asked(question) else {
            answers.push(None);
            continue;
        };
        let caller = McpCaller {
            server: server.as_str().unwrap().to_owned(),
            identity: claims.map(|claims| Identity::ClaimsJson(claims.to_string().into_bytes())),
            context: Some(object(context)),
            ..McpCaller::default()
        };
        let asked = McpServiceCheckRequest {
            message: message.to_string().into_bytes(),
            caller: Some(caller),
            ..McpServiceCheckRequest::default()
        };
        let verdict = client.check(asked).await.unwrap().into_inner().verdict.unwrap();
        let codes = verdict.reasons.iter().map(|reason| reason.code.clone());
        let digest = &verdict.revision.as_ref().unwrap().digest;
        answers.push(Some(Told::new(verdict.effect() == Effect::Allow, codes, digest)));
    }
    answers
}
