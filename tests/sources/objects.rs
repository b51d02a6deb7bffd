//! Object stores: a server that speaks like S3, and made-up answers for what it does not do.

use std::{path::Path, process::Command, time::Duration};

use object_store::{ObjectStoreExt as _, aws::AmazonS3Builder};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header, header_exists, path},
};

use crate::support::{Running, Step, asked, failure, free_port, next, report, server, source, tool, whole};

fn keys(folder: &Path, endpoint: &str) -> String {
    let (id, key) = (folder.join("id"), folder.join("key"));
    std::fs::write(&id, "AKIDEXAMPLE\n").unwrap();
    std::fs::write(&key, "hush\n").unwrap();
    format!(
        "[object]\nregion = 'eu-central-1'\nendpoint = '{endpoint}'\naccess_key_id_file = '{}'\n\
         secret_access_key_file = '{}'\n",
        id.display(),
        key.display()
    )
}

/// `VERDICT_TEST_MOTO` names `moto_server` (of the Python packages `moto[s3]`, `flask`, `flask-cors`).
#[tokio::test]
async fn follows_an_object_of_a_store_that_speaks_like_s3() {
    let Some(moto) = tool("VERDICT_TEST_MOTO", "moto_server") else { return };
    let port = free_port();
    let running = Running::start(Command::new(moto).args(["-H", "127.0.0.1", "-p", &port.to_string()]), port).await;
    let endpoint = format!("http://127.0.0.1:{port}");
    reqwest::Client::new().put(format!("{endpoint}/policies")).send().await.unwrap().error_for_status().unwrap();
    let store = AmazonS3Builder::new()
        .with_bucket_name("policies")
        .with_region("us-east-1")
        .with_endpoint(&endpoint)
        .with_allow_http(true)
        .with_access_key_id("AKIDEXAMPLE")
        .with_secret_access_key("hush")
        .build()
        .unwrap();
    let key = object_store::path::Path::from("team a/b.tar.gz");
    let folder = tempfile::tempdir().unwrap();
    let mut source = source("s3://policies/team%20a/b.tar.gz", &keys(folder.path(), &endpoint));
    let words = failure(&mut source).await;
    assert!(words.contains("404"), "{words}");
    store.put(&key, "one".into()).await.unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    asked(&mut source, 4).await;
    assert!(report(&*source).etag.is_some() && report(&*source).failures == 0);
    store.put(&key, "two".into()).await.unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"two");
    drop(running);
    let words = failure(&mut source).await;
    assert!(words.contains("cannot be reached") && words.contains("refused") && !words.contains("hush"), "{words}");
    let attempts = report(&*source).attempts;
    asked(&mut source, attempts + 3).await;
}

#[tokio::test]
async fn asks_by_etag_and_signs() {
    let server = MockServer::start().await;
    let signed = Mock::given(path("/policies/b.tar.gz")).and(header_exists("authorization"));
    let same = ResponseTemplate::new(304);
    signed.and(header("if-none-match", "\"1\"")).respond_with(same).mount(&server).await;
    let one = ResponseTemplate::new(200).set_body_string("one").insert_header("etag", "\"1\"");
    let one = one.insert_header("last-modified", "Sat, 21 Nov 2026 04:56:10 GMT");
    Mock::given(any()).respond_with(one).mount(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let mut source = source("s3://policies/b.tar.gz", &keys(folder.path(), &server.uri()));
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    asked(&mut source, 4).await;
    assert_eq!(report(&*source).failures, 0);
    // Keys that are exchanged in their files are taken up.
    std::fs::write(folder.path().join("id"), "AKIDSECOND").unwrap();
    let attempts = report(&*source).attempts;
    asked(&mut source, attempts + 4).await;
    let requests = server.received_requests().await.unwrap();
    let last = requests.last().unwrap().headers["authorization"].to_str().unwrap();
    assert!(last.contains("AKIDSECOND"), "{last}");
    std::fs::remove_file(folder.path().join("id")).unwrap();
    assert!(failure(&mut source).await.contains("cannot be read"));
}

#[tokio::test]
async fn reads_other_stores_too() {
    let server = MockServer::start().await;
    let one = ResponseTemplate::new(200).set_body_string("one").insert_header("etag", "\"1\"");
    let one = one.insert_header("last-modified", "Sat, 21 Nov 2026 04:56:10 GMT");
    for place in ["/policies/b%2Etar%2Egz", "/account/policies/b.tar.gz"] {
        Mock::given(path(place)).respond_with(one.clone()).mount(&server).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "aHVzaA==").unwrap();
    let azure = format!("account = 'account'\naccount_key_file = '{}'", key.display());
    for (url, path, more) in [
        ("gs://policies/b.tar.gz", "", "anonymous = true"),
        ("az://policies/b.tar.gz", "/account", azure.as_str()),
        ("abfss://policies@account.dfs.core.windows.net/b.tar.gz", "/account", "anonymous = true"),
    ] {
        let mut source = source(url, &format!("[object]\nendpoint = '{}{path}'\n{more}", server.uri()));
        let given = next(&mut source).await;
        assert_eq!(given.as_deref().map_err(ToString::to_string), Ok(&b"one"[..]), "{url}");
    }
}

#[tokio::test]
async fn bounds_what_a_store_sends_and_how_long_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let dated = "etag: \"1\"\r\nlast-modified: Sat, 21 Nov 2026 04:56:10 GMT\r\n";
    let address = server(None, move |_, _| whole("200 OK", dated, "12345678")).await;
    let keys = |address| keys(folder.path(), &format!("http://{address}"));
    let words = failure(&mut source("s3://p/b", &format!("limits.size = 7\n{}", keys(address)))).await;
    assert!(words.contains("larger than 7 bytes"), "{words}");
    assert_eq!(
        next(&mut source("s3://p/b", &format!("limits.size = 8\n{}", keys(address)))).await.unwrap(),
        b"12345678"
    );
    let dribble = move |_: usize, _: &str| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n{dated}\r\n");
        let mut steps = vec![Step::Send(head.into_bytes())];
        steps.extend((0..100).flat_map(|_| [Step::Send(b"x".to_vec()), Step::Pause(Duration::from_millis(100))]));
        steps
    };
    let address = server(None, dribble).await;
    let more = format!("limits = {{ timeout = '400ms' }}\n{}", keys(address));
    let words = failure(&mut source("s3://p/b", &more)).await;
    assert!(words.contains("within 400ms"), "{words}");
    for (status, word) in [
        ("500 Internal Server Error", "status 500"),
        ("403 Forbidden", "403 (forbidden)"),
        ("301 Moved Permanently", "redirect"),
    ] {
        let address = server(None, move |_, _| whole(status, "", "<Error>hush</Error>")).await;
        let words = failure(&mut source("s3://p/b", &keys(address))).await;
        assert!(words.contains(word) && !words.contains("hush"), "{words}");
    }
}
