//! Following what is served, here and on several servers.

use tonic::Code;
use verdict::api::grpc::proto::{GetStatusRequest, Persistence, WatchStatusRequest};

use crate::support::{Home, assert_refused, policy};

#[tokio::test]
async fn the_status_names_bundles_their_sources_and_what_went_wrong() {
    let home = Home::new();
    let server = home.serve("a").await;
    let mut client = server.admin().await;
    let status = client.get_status(GetStatusRequest {}).await.unwrap().into_inner().status.unwrap();
    let active = status.active.clone().unwrap();
    assert_eq!(active.revision, server.ask().await.revision);
    assert!(active.retained && active.published.is_some());
    assert_eq!((status.pinned, status.persistence()), (false, Persistence::Off));
    let bundle = &status.bundles[0];
    assert_eq!((bundle.name.as_str(), bundle.revision.as_str()), ("main", "v1"));
    assert!(bundle.digest.starts_with("sha256:") && bundle.age.is_some() && bundle.failure.is_none(), "{bundle:?}");
    assert_eq!(bundle.roots, ["authz"]);
    let source = bundle.source.as_ref().unwrap();
    assert!(source.location.contains("main.tar.gz") && source.last_success.is_some(), "{source:?}");

    let mut updates = client.watch_status(WatchStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(updates.message().await.unwrap().unwrap().status.unwrap().active, status.active);
    home.bundle("main", b"no archive");
    loop {
        let status = updates.message().await.unwrap().unwrap().status.unwrap();
        if let Some(failure) = &status.bundles[0].failure {
            assert!(!failure.message.is_empty() && failure.at.is_some(), "{failure:?}");
            assert_eq!(status.active, Some(active));
            break;
        }
    }
    let text = home.verdict(&["policy", "status", "--server", &server.admin], "").out;
    assert!(text.contains("failure") && text.contains("main.tar.gz"), "{text}");
}

#[tokio::test]
async fn a_pipeline_waits_until_all_servers_have_it() {
    let home = Home::new();
    let servers = [home.serve("a").await, home.serve("b").await, home.serve("c").await];
    let mut wait = vec!["policy", "watch", "--until", "main=v2"];
    wait.extend(servers.iter().flat_map(|server| ["--server", server.admin.as_str()]));
    let ended = home.verdict(&[&wait[..], &["--timeout", "3s"]].concat(), "");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert_eq!(ended.err.matches("`main` is `v1`, not `v2`").count(), 3, "{}", ended.err);
    home.bundle("main", &policy("authz", "v2", ""));
    let ended = home.verdict(&[&wait[..], &["--timeout", "30s"]].concat(), "");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    for server in &servers {
        assert!(!server.allows().await);
    }
    let unreachable = ["--server", "unix:/nowhere/admin.sock", "--timeout", "3s", "--format", "json"];
    let ended = home.verdict(&[&wait[..], &unreachable].concat(), "");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("/nowhere/admin.sock"), "{}", ended.err);
    let shown: serde_json::Value = serde_json::from_str(ended.out.lines().next().unwrap()).unwrap();
    assert_eq!(shown["active"]["revision"]["bundles"]["main"], "v2");
}

#[tokio::test]
async fn a_watch_ends_with_the_server() {
    let home = Home::new();
    let mut server = home.serve("a").await;
    let mut updates = server.admin().await.watch_status(WatchStatusRequest {}).await.unwrap().into_inner();
    assert!(updates.message().await.unwrap().is_some());
    server.signal("TERM");
    let status = loop {
        match updates.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ends with a word"),
            Err(status) => break status,
        }
    };
    assert_refused(&status, Code::Unavailable, "DRAINING");
    assert_eq!(server.ended().await, 0);
}
