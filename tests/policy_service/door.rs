//! Its socket: who can reach it, and what else can be reached there.

use std::{fs, os::unix::fs::MetadataExt as _};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{Code, transport::Endpoint};
use verdict::api::grpc::proto::{
    CheckRequest, GetStatusRequest, RollbackRequest, decision_service_client::DecisionServiceClient,
    policy_service_client::PolicyServiceClient,
};

use crate::support::{Home, Server};

#[tokio::test]
async fn neither_service_is_at_the_other_s_door() {
    let home = Home::new();
    let server = home.serve("a").await;
    let decisions = Endpoint::from_shared(format!("http://{}", server.grpc)).unwrap().connect().await.unwrap();
    let mut misplaced = PolicyServiceClient::new(decisions);
    assert_eq!(misplaced.get_status(GetStatusRequest {}).await.unwrap_err().code(), Code::Unimplemented);
    let rollback = misplaced.rollback(RollbackRequest::default()).await;
    assert_eq!(rollback.unwrap_err().code(), Code::Unimplemented);
    let mut misplaced = DecisionServiceClient::new(server.channel().await);
    assert_eq!(misplaced.check(CheckRequest::default()).await.unwrap_err().code(), Code::Unimplemented);
    assert!(server.admin().await.get_status(GetStatusRequest {}).await.is_ok());
}

#[tokio::test]
async fn the_socket_is_for_its_user_and_gone_at_the_end() {
    let home = Home::new();
    let mut server = home.serve("a").await;
    let socket = home.path("a/admin.sock");
    let mode = |path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(home.path("a")), mode(socket.clone())), (0o700, 0o600));
    // Whoever speaks no HTTP/2 is sent away.
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 505 "), "{answer}");
    // A second one that is told to have it does not start, and takes nothing away.
    let mut second = home.command("b", "");
    let ended = second.arg("--admin").arg(&server.admin).output().unwrap();
    assert_eq!(ended.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("another server"), "{ended:?}");
    assert!(server.admin().await.get_status(GetStatusRequest {}).await.is_ok());
    server.signal("TERM");
    assert_eq!(server.ended().await, 0);
    assert_eq!(fs::read_dir(home.path("a")).unwrap().count(), 0);
}

#[tokio::test]
async fn by_default_the_first_server_of_a_session_has_it_and_the_second_goes_on_without() {
    let home = Home::new();
    let first = Server::start(home.command("a", "")).await;
    first.logged("policies active").await;
    assert_eq!(first.admin, format!("unix:{}", home.path("verdict/admin.sock").display()));
    let second = Server::start(home.command("b", "")).await;
    assert_eq!(second.admin, "");
    second.logged("the policy service is off").await;
    second.logged("policies active").await;
    assert!(second.allows().await);
    // Found without being named.
    let ended = home.verdict(&["policy", "status"], "");
    assert_eq!(ended.code, 0, "{}", ended.err);
    // What a killed one left behind is replaced.
    drop(first);
    assert!(home.path("verdict/admin.sock").exists());
    let ended = home.verdict(&["policy", "status"], "");
    assert_eq!(ended.code, 2, "{}", ended.out);
    let third = Server::start(home.command("c", "")).await;
    assert!(!third.admin.is_empty());
    third.logged("policies active").await;
    assert_eq!(home.verdict(&["policy", "status"], "").code, 0);
}

#[tokio::test]
async fn tcp_is_refused_with_a_word() {
    let home = Home::new();
    for place in ["127.0.0.1:9192", "localhost:9192"] {
        let ended = home.verdict(&["serve", "--admin", place], "");
        assert_eq!(ended.code, 64, "{}", ended.err);
        assert!(ended.err.contains("not authenticated"), "{}", ended.err);
    }
    let ended = home.verdict(&["policy", "status", "--server", "127.0.0.1:9192"], "");
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("unix socket"), "{}", ended.err);
    let server = Server::start({
        let mut command = home.command("off", "");
        command.args(["--admin", "off"]);
        command
    })
    .await;
    assert_eq!(server.admin, "");
}
