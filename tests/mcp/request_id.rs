//! What a caller calls its question comes back, and stands in the records.

use serde_json::{Value as Json, json};
use tonic::Request;
use verdict::api::grpc::proto::{FilterToolsRequest, McpCaller, McpServiceCheckRequest};

use crate::{
    check::SERVER,
    client::send,
    over_grpc::client,
    support::{Folder, Serve, eventually},
};

#[tokio::test]
async fn a_request_id_stands_in_the_records_of_both_doors() {
    let folder = Folder::with(&[("p.rego", "package p\n\nallow if input.resource.id == \"read\"\n")]);
    let settings = Folder::empty();
    settings.write(
        "verdict.yaml",
        &format!("decision_log:\n  sinks:\n    all: {{type: file, path: {}}}\n", settings.join("all.log").display()),
    );
    let file = settings.join("all.log");
    let config = settings.join("verdict.yaml").display().to_string();
    let server = Serve::folder(&folder).arg("--config").arg(config).arg("--default-policy").arg("data.p").ready().await;
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read"}});
    let list = json!({"tools": [{"name": "read"}]});
    for (path, member, value, id) in
        [("/mcp/v1/check", "message", &message, "h-1"), ("/mcp/v1/filter-tools", "result", &list, "h-2")]
    {
        let headers = [("content-type", "application/json"), ("x-request-id", id)];
        let body = json!({"server": SERVER, member: value}).to_string();
        let answer = send(&server, "POST", path, &headers, body.as_bytes()).await;
        answer.ok();
        assert_eq!(answer.headers["x-request-id"], id);
    }
    let long = "x".repeat(257);
    let headers = [("content-type", "application/json"), ("x-request-id", long.as_str())];
    send(&server, "POST", "/mcp/v1/check", &headers, b"{}").await.refused(400);

    let caller = Some(McpCaller { server: SERVER.to_owned(), ..McpCaller::default() });
    let check = McpServiceCheckRequest {
        message: message.to_string().into_bytes(),
        caller: caller.clone(),
        ..McpServiceCheckRequest::default()
    };
    let filter = FilterToolsRequest { result_json: list.to_string().into_bytes(), caller };
    let mut client = client(&server).await;
    client.check(named(check, "g-1")).await.unwrap();
    client.filter_tools(named(filter, "g-2")).await.unwrap();

    let ids = eventually("four records", async || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let records: Vec<Json> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ids: Vec<String> =
            records.iter().filter_map(|record| record["request_id"].as_str()).map(str::to_owned).collect();
        (ids.len() == 4).then_some(ids)
    });
    assert_eq!(ids.await, ["h-1", "h-2", "g-1", "g-2"]);
}

fn named<T>(message: T, id: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    request
}
