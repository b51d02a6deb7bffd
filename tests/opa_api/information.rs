//! What the server says of itself.

use serde_json::{Value as Json, json};

use crate::{
    client::{POLICY, folder, get, post, serve},
    support::{Folder, Serve},
};

#[tokio::test]
async fn health_policies_and_what_is_not_supported() {
    let (_folder, server) = serve(&[]).await;
    for path in ["/health", "/health?bundles", "/health?plugins&bundles=true&exclude-plugin=x"] {
        assert_eq!(get(&server, path).await.ok(), json!({}), "{path}");
    }
    let listed = get(&server, "/v1/policies").await.result();
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|policy| policy["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["always.rego", "shop.rego"]);
    assert_eq!(get(&server, "/v1/policies/shop.rego").await.result(), json!({"id": "shop.rego", "raw": POLICY}));
    get(&server, "/v1/policies/nosuch").await.refused(404, "resource_not_found");
    get(&server, "/v1/policies/../shop.rego").await.refused(400, "invalid_parameter");
    let status = get(&server, "/v1/status").await.result();
    let (_, ready) = server.readiness().await;
    assert_eq!(status["revision"]["digest"], ready["revision"]["digest"]);
    for path in ["/v1/compile", "/v1/compile/shop/orders/allow"] {
        let message = post(&server, path, r#"{"query": "data.shop.orders.allow == true"}"#).await;
        assert!(message.refused(501, "invalid_operation").contains("not supported"));
    }
}

#[tokio::test]
async fn the_settings_are_shown_without_secrets() {
    let folder = folder();
    let out = Folder::empty();
    out.write("token", "t0ps3cret-token");
    out.write(
        "verdict.yaml",
        &format!(
            "bundles:\n  shop:\n    url: https://bundles.invalid/shop.tar.gz?sig=t0ps3cret-query\n    token_file: {}\n    \
             headers:\n      x-key: t0ps3cret-header\n",
            out.join("token").display()
        ),
    );
    let server = Serve::embedded().arg("--config").arg(out.join("verdict.yaml").to_str().unwrap()).listening().await;
    let answer = get(&server, "/v1/config").await;
    for secret in ["t0ps3cret", "token", "x-key", "sig="] {
        let own = answer.text().replace("input.token,password,secret,token,authorization", "");
        assert!(!own.contains(secret), "{secret}: {own}");
    }
    assert_eq!(answer.result()["bundles"]["shop"]["url"], "https://bundles.invalid/shop.tar.gz");
    assert_eq!(answer.result()["default_decision"], "/authz");
    for path in ["/v1/status", "/health?bundles"] {
        assert!(!get(&server, path).await.text().contains("t0ps3cret"), "{path}");
    }
    let plain = Serve::folder(&folder).ready().await;
    let shown: Json = get(&plain, "/v1/config?pretty").await.result();
    assert_eq!(shown["opa"], json!({"enabled": true, "query": false, "write": false}));
    assert!(shown["labels"]["version"].is_string());
}
