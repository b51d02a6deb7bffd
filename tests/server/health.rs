//! `grpc.health.v1` and reflection.

use prost::Message as _;
use prost_types::FileDescriptorProto;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::{Folder, Serve};

const SERVICES: [&str; 2] = ["", "verdict.v1.DecisionService"];
const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

#[tokio::test]
async fn each_service_is_serving_from_the_first_policies_on() {
    let folder = Folder::empty();
    let server = Serve::folder(&folder).listening().await;
    for service in SERVICES {
        assert_eq!(server.health(service).await, Ok(NOT_SERVING), "{service}");
    }
    assert_eq!(server.health("nothing").await, Err(Code::NotFound));
    folder.write("a.rego", "package a\n\ndecision := true\n");
    server.until_serving().await;
    for service in SERVICES {
        assert_eq!(server.health(service).await, Ok(SERVING), "{service}");
    }
}

#[tokio::test]
async fn a_watcher_sees_it_come_and_go() {
    for service in SERVICES {
        let folder = Folder::empty();
        let mut server = Serve::folder(&folder).listening().await;
        let mut client = HealthClient::new(server.channel().await);
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut watch = client.watch(request).await.unwrap().into_inner();
        let mut next = async || watch.message().await.unwrap().map(|answer| answer.status);
        assert_eq!(next().await, Some(NOT_SERVING));
        folder.write("a.rego", "package a\n\ndecision := true\n");
        assert_eq!(next().await, Some(SERVING));
        server.signal("TERM");
        assert_eq!(next().await, Some(NOT_SERVING));
        // A watch must not keep the process until the drain timeout, which is 10 s.
        let started = std::time::Instant::now();
        assert!(server.ended().await.success());
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
        while let Ok(Some(answer)) = watch.message().await {
            assert_eq!(answer.status, NOT_SERVING);
        }
    }
}

#[tokio::test]
async fn reflection_lists_the_services_and_gives_the_contract() {
    use v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };

    let server = Serve::embedded().ready().await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let asked = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol("verdict.v1.DecisionService".to_owned()),
        MessageRequest::FileByFilename("verdict/v1/verdict.proto".to_owned()),
        MessageRequest::FileContainingSymbol("verdict.v1.Nothing".to_owned()),
    ];
    let asked = asked.map(|request| ServerReflectionRequest { host: String::new(), message_request: Some(request) });
    let mut answers = client.server_reflection_info(tokio_stream::iter(asked)).await.unwrap().into_inner();
    let mut next = async || answers.message().await.map(|answer| answer.unwrap().message_response.unwrap());
    let MessageResponse::ListServicesResponse(services) = next().await.unwrap() else { panic!("no list") };
    let names: Vec<String> = services.service.into_iter().map(|service| service.name).collect();
    for name in ["verdict.v1.DecisionService", "verdict.v1.McpService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    for (file, what) in [("decision_service.proto", "service"), ("verdict.proto", "message")] {
        let MessageResponse::FileDescriptorResponse(files) = next().await.unwrap() else { panic!("no file") };
        let files: Vec<_> = files
            .file_descriptor_proto
            .iter()
            .map(|bytes| FileDescriptorProto::decode(bytes.as_slice()).unwrap())
            .collect();
        assert!(files.iter().any(|found| found.name().ends_with(file)), "{what}: {files:?}");
    }
    match next().await {
        Ok(MessageResponse::ErrorResponse(error)) => assert_eq!(error.error_code, i32::from(Code::NotFound)),
        Ok(other) => panic!("{other:?}"),
        Err(status) => assert_eq!(status.code(), Code::NotFound),
    }
    // What older clients speak.
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let request = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
}

#[tokio::test]
async fn reflection_can_be_turned_off() {
    use v1::{ServerReflectionRequest, server_reflection_client::ServerReflectionClient};

    let server = Serve::embedded().env("VERDICT_GRPC_REFLECTION", "false").ready().await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let request = ServerReflectionRequest { host: String::new(), message_request: None };
    let status = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
