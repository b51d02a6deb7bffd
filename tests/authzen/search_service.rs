//! The same searches over gRPC: `verdict.v1.SearchService`.

use serde_json::json;
use tonic::Code;
use verdict::api::grpc::proto::{
    Action, SearchActionsRequest, SearchResourcesRequest, SearchSubjectsRequest,
    search_service_client::SearchServiceClient,
};

use crate::{
    client::{policy, post, serve},
    support::{Folder, Serve, Server, assert_invalid, assert_refused, object, resource_of, subject_of},
};

type Client = SearchServiceClient<tonic::transport::Channel>;

async fn client(server: &Server) -> Client {
    SearchServiceClient::new(server.channel().await)
}

fn action(name: &str) -> Action {
    Action { name: name.to_owned(), properties: None }
}

async fn subjects(client: &mut Client, request: SearchSubjectsRequest) -> Result<Vec<String>, tonic::Status> {
    let mut stream = client.search_subjects(request).await?.into_inner();
    let mut found = Vec::new();
    while let Some(answer) = stream.message().await? {
        assert!(answer.revision.unwrap().digest.starts_with("sha256:"));
        found.push(answer.subject.unwrap().id);
    }
    Ok(found)
}

#[tokio::test]
async fn each_search_finds_what_it_finds_over_http() {
    let (_folder, server) = serve("certification", &[]).await;
    let mut client = client(&server).await;
    let (alice, record) = (subject_of("user:alice"), resource_of("record:record-1"));
    let over_http = async |kind: &str| -> Vec<String> {
        let asked = json!({
            "subject": {"type": "user", "id": "alice"}, "action": {"name": "write"},
            "resource": {"type": "record", "id": "record-1"},
        });
        let answer = post(&server, &format!("/access/v1/search/{kind}"), &asked).await.ok();
        let name = if kind == "action" { "name" } else { "id" };
        answer["results"].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    let asked = SearchSubjectsRequest {
        subject: Some(subject_of("user:")),
        action: Some(action("write")),
        resource: Some(record.clone()),
        ..SearchSubjectsRequest::default()
    };
    let found = subjects(&mut client, asked).await.unwrap();
    assert_eq!((found.clone(), found), (vec!["alice".to_owned()], over_http("subject").await));

    let asked = SearchResourcesRequest {
        subject: Some(alice.clone()),
        action: Some(action("write")),
        resource: Some(resource_of("record:ignored")),
        ..SearchResourcesRequest::default()
    };
    let mut stream = client.search_resources(asked).await.unwrap().into_inner();
    let mut found = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        found.push(answer.resource.unwrap().id);
    }
    assert_eq!((found.clone(), found), (vec!["record-1".to_owned()], over_http("resource").await));

    let asked =
        SearchActionsRequest { subject: Some(alice), resource: Some(record), ..SearchActionsRequest::default() };
    let mut stream = client.search_actions(asked).await.unwrap().into_inner();
    let mut found = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        found.push(answer.action.unwrap().name);
    }
    assert_eq!((found.clone(), found), (vec!["read".to_owned(), "write".to_owned()], over_http("action").await));
}

#[tokio::test]
async fn what_is_wrong_is_an_error_in_the_words_of_the_contract() {
    let (_folder, server) = policy("package p\n\nallow := true\n\nsubjects := 7\n").await;
    let mut client = client(&server).await;
    let status = subjects(&mut client, SearchSubjectsRequest::default()).await.unwrap_err();
    assert_eq!(assert_invalid(&status), ["subject", "action", "resource"]);
    let asked = SearchSubjectsRequest {
        subject: Some(subject_of("user:")),
        action: Some(action("read")),
        resource: Some(resource_of("d:1")),
        ..SearchSubjectsRequest::default()
    };
    let status = subjects(&mut client, asked.clone()).await.unwrap_err();
    assert_refused(&status, Code::Internal, "SEARCH_FAILED");
    let other = SearchSubjectsRequest { policy: "data.always".to_owned(), ..asked.clone() };
    assert_refused(&subjects(&mut client, other).await.unwrap_err(), Code::Unimplemented, "SEARCH_UNSUPPORTED");
    let nonsense = SearchSubjectsRequest { policy: "nonsense".to_owned(), ..asked.clone() };
    assert_eq!(assert_invalid(&subjects(&mut client, nonsense).await.unwrap_err()), ["policy"]);
    let no_type = SearchSubjectsRequest { subject: Some(subject_of(":x")), ..asked };
    assert_eq!(assert_invalid(&subjects(&mut client, no_type).await.unwrap_err()), ["subject.type"]);
    let empty = SearchActionsRequest { context: Some(object(json!({}))), ..SearchActionsRequest::default() };
    let status = client.search_actions(empty).await.unwrap_err();
    assert_eq!(assert_invalid(&status), ["subject", "resource"]);
}

#[tokio::test]
async fn there_is_nothing_to_search_before_the_first_policies() {
    let folder = Folder::empty();
    let server = Serve::folder(&folder).listening().await;
    let asked = SearchSubjectsRequest {
        subject: Some(subject_of("user:")),
        action: Some(action("read")),
        resource: Some(resource_of("d:1")),
        ..SearchSubjectsRequest::default()
    };
    let status = subjects(&mut client(&server).await, asked).await.unwrap_err();
    assert_refused(&status, Code::Unavailable, "POLICIES_NOT_READY");
}
