//! Three servers that are fed by one web server: a new bundle is seen to be live on each, and waited for by questions.

use std::sync::{Arc, Mutex};

use tonic::Request;
use verdict::api::grpc::proto::{
    CheckRequest, Effect, Freshness, Verdict, WatchStatusRequest, decision_service_client::DecisionServiceClient,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::support::{Home, PATIENCE, Server, policy, question};

/// A web server with one bundle, whose ETag is its revision.
struct Shop {
    server: MockServer,
    bundle: Arc<Mutex<(String, Vec<u8>)>>,
}

impl Shop {
    async fn new(revision: &str, archive: Vec<u8>) -> Self {
        let (server, bundle) = (MockServer::start().await, Arc::new(Mutex::new((revision.to_owned(), archive))));
        let sold = Arc::clone(&bundle);
        let answer = move |request: &wiremock::Request| {
            let (revision, archive) = sold.lock().unwrap().clone();
            let etag = format!("\"{revision}\"");
            if request.headers.get("if-none-match").is_some_and(|known| known == etag.as_str()) {
                return ResponseTemplate::new(304);
            }
            ResponseTemplate::new(200).insert_header("etag", etag.as_str()).set_body_raw(archive, "application/gzip")
        };
        Mock::given(any()).respond_with(answer).mount(&server).await;
        Self { server, bundle }
    }

    fn push(&self, revision: &str, archive: Vec<u8>) {
        *self.bundle.lock().unwrap() = (revision.to_owned(), archive);
    }
}

/// Waits on the stream of the status until a server has a revision of the bundle.
async fn watched(server: &Server, revision: &str) {
    let mut updates = server.admin().await.watch_status(WatchStatusRequest {}).await.unwrap().into_inner();
    let wait = async {
        loop {
            let status = updates.message().await.unwrap().expect("the stream goes on").status.unwrap();
            let active = status.active.and_then(|active| active.revision);
            if active.is_some_and(|active| active.bundles.get("main").is_some_and(|is| is == revision)) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the revision comes");
}

/// Asks for an answer that is at least as fresh as a revision of the bundle.
async fn asked(server: &Server, revision: &str) -> Verdict {
    let bundles = [("main".to_owned(), revision.to_owned())].into();
    let question = CheckRequest { at_least_as_fresh: Some(Freshness { sequence: 0, bundles }), ..question() };
    let mut client = DecisionServiceClient::connect(format!("http://{}", server.grpc)).await.unwrap();
    let mut request = Request::new(question);
    request.set_timeout(PATIENCE);
    client.check(request).await.unwrap().into_inner().verdict.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_to_one_source_is_seen_live_on_every_server() {
    let home = Home::new();
    let shop = Shop::new("v1", policy("authz", "v1", "allow := true")).await;
    let url = shop.server.uri();
    let servers =
        [home.serve_from(&url, "a").await, home.serve_from(&url, "b").await, home.serve_from(&url, "c").await];
    for server in &servers {
        watched(server, "v1").await;
        assert!(server.allows().await);
    }
    // Asked before it is there: answered on it, and on nothing older.
    let waiting = servers.each_ref().map(|server| asked(server, "v2"));
    let watching = servers.each_ref().map(|server| watched(server, "v2"));
    let push = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        shop.push("v2", policy("authz", "v2", ""));
    };
    let (verdicts, _, ()) = tokio::join!(futures::future::join_all(waiting), futures::future::join_all(watching), push);
    for verdict in verdicts {
        assert_eq!(verdict.effect(), Effect::Deny);
        assert_eq!(verdict.revision.unwrap().bundles["main"], "v2");
    }
    for server in &servers {
        assert!(!server.allows().await);
    }
}
