//! Changes of data: off, and where they are on, only of what no bundle owns.

use serde_json::{Value as Json, json};

use crate::{
    client::{Answer, get, post, send, serve},
    support::{Folder, Serve, Server, run, verdict},
};

async fn change(server: &Server, method: &str, path: &str, body: &str) -> Answer {
    send(server.http, method, path, &[("content-type", "application/json")], body.as_bytes()).await
}

#[tokio::test]
async fn is_off_unless_configured() {
    let (_folder, server) = serve(&[]).await;
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = change(&server, method, "/v1/data/free", "{}").await;
        assert!(answer.refused(403, "invalid_operation").contains("`opa.write`"));
    }
    for method in ["PUT", "DELETE"] {
        change(&server, method, "/v1/policies/shop.rego", "package p").await.refused(405, "invalid_operation");
    }
}

#[tokio::test]
async fn a_plain_folder_owns_all_data() {
    let (_folder, server) = serve(&[("VERDICT_OPA_WRITE", "true")]).await;
    for (method, body) in [("PUT", "1"), ("PATCH", r#"[{"op": "add", "path": "x", "value": 1}]"#), ("DELETE", "")] {
        change(&server, method, "/v1/data/base", body).await.refused(400, "invalid_parameter");
    }
    assert_eq!(get(&server, "/v1/data/base/n").await.result(), 9_007_199_254_740_993_u64);
}

/// A server on a bundle that owns `shop` and `base`.
async fn bundled() -> (Folder, Server) {
    let folder = crate::client::folder();
    let out = Folder::empty();
    let archive = out.join("shop.tar.gz");
    let mut build = verdict();
    let built = build.args(["bundle", "build"]).arg(folder.path()).args(["--root", "shop", "--root", "base"]);
    let ended = run(built.args(["--root", "always", "--revision", "r1", "--output"]).arg(&archive));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let settings = format!("bundles:\n  shop:\n    url: file://{}\nopa:\n  write: true\n", archive.display());
    out.write("verdict.yaml", &settings);
    let serve = Serve::embedded().env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s");
    let server = serve.arg("--config").arg(out.join("verdict.yaml").to_str().unwrap()).ready().await;
    (out, server)
}

#[tokio::test]
async fn changes_what_no_bundle_owns() {
    let (_out, server) = bundled().await;
    let free = async || get(&server, "/v1/data/free").await.result();
    assert_eq!(change(&server, "PUT", "/v1/data/free", r#"{"a": 1}"#).await.status, 204);
    assert_eq!(free().await, json!({"a": 1}));
    let headers = [("if-none-match", "*")];
    assert_eq!(send(server.http, "PUT", "/v1/data/free", &headers, b"2").await.status, 304);
    assert_eq!(send(server.http, "PUT", "/v1/data/free/x~y/a%2Fb", &headers, b"[1, 2]").await.status, 204);
    assert_eq!(free().await, json!({"a": 1, "x~y": {"a/b": [1, 2]}}));
    assert_eq!(change(&server, "PUT", "/v1/data/free/x~y/a%2Fb/0", "7").await.status, 204);
    assert_eq!(get(&server, "/v1/data/free/x~y/a%2Fb").await.result(), json!([7, 1, 2]));
    let patch =
        r#"[{"op": "add", "path": "b", "value": 9007199254740993}, {"op": "replace", "path": "/a", "value": 4}]"#;
    assert_eq!(change(&server, "PATCH", "/v1/data/free", patch).await.status, 204);
    assert_eq!(change(&server, "DELETE", "/v1/data/free/x~y", "").await.status, 204);
    assert_eq!(free().await, json!({"a": 4, "b": 9_007_199_254_740_993_u64}));
    // All or nothing.
    let half = r#"[{"op": "add", "path": "c", "value": 1}, {"op": "remove", "path": "nosuch"}]"#;
    change(&server, "PATCH", "/v1/data/free", half).await.refused(404, "resource_not_found");
    change(&server, "DELETE", "/v1/data/free/nosuch", "").await.refused(404, "resource_not_found");
    change(&server, "PATCH", "/v1/data/nosuch", r#"[{"op": "add", "path": "a", "value": 1}]"#)
        .await
        .refused(404, "resource_not_found");
    for body in
        ["", "{", "{}", "[]", r#"[{"op": "bad", "path": "a"}]"#, r#"[{"op": "add", "path": "a~2", "value": 1}]"#]
    {
        change(&server, "PATCH", "/v1/data/free", body).await.refused(400, "invalid_parameter");
    }
    for body in ["", "{", r#"{"a": 1, "a": 2}"#] {
        change(&server, "PUT", "/v1/data/free", body).await.refused(400, "invalid_parameter");
    }
    assert_eq!(free().await, json!({"a": 4, "b": 9_007_199_254_740_993_u64}));
}

#[tokio::test]
async fn what_a_bundle_owns_stays() {
    let (_out, server) = bundled().await;
    for (path, patch) in [
        ("/v1/data/base/n", r#"[{"op": "replace", "path": "", "value": 1}]"#),
        ("/v1/data/shop/orders/allow", r#"[{"op": "add", "path": "", "value": true}]"#),
        ("/v1/data", r#"[{"op": "replace", "path": "/base", "value": {}}]"#),
    ] {
        change(&server, "PATCH", path, patch).await.refused(400, "invalid_parameter");
        if path != "/v1/data" {
            change(&server, "PUT", path, "true").await.refused(400, "invalid_parameter");
            change(&server, "DELETE", path, "").await.refused(400, "invalid_parameter");
        }
    }
    for (method, body) in [("PUT", "{}"), ("DELETE", "")] {
        assert_eq!(change(&server, method, "/v1/data", body).await.status, 400, "{method}");
    }
    let answer = post(&server, "/v1/data/shop/orders/allow", r#"{"input": {"user": "mallory"}}"#).await;
    assert_eq!(answer.result(), Json::Null);
    assert_eq!(get(&server, "/v1/data/base/n").await.result(), 9_007_199_254_740_993_u64);
    let provenance = get(&server, "/v1/data/base/n?provenance").await.ok();
    assert_eq!(provenance["provenance"]["bundles"], json!({"shop": {"revision": "r1"}}));
    let status = get(&server, "/v1/status").await.result();
    assert_eq!(status["bundles"]["shop"]["active_revision"], "r1");
    assert_eq!(status["plugins"]["bundle"]["state"], "OK");
    assert_eq!(get(&server, "/health?bundles&plugins").await.ok(), json!({}));
}
