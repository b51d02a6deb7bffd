//! Registries: a real one, and made-up answers for what it does not do.

use std::{path::Path, process::Command};

use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol, Config, ImageLayer},
    secrets::RegistryAuth,
};
use sha2::{Digest as _, Sha256};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, header, path, query_param},
};

use crate::support::{Running, asked, failure, free_port, next, report, source, tool};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// `user` with the password `pass`, by bcrypt.
const PASSWORDS: &str = "user:$2b$05$abcdefghijklmnopqrstuuZFBUbfXoM8LFiPx8LYlO/sXZB/Cwk3K\n";

async fn push(name: &str, content: &'static str, kind: &str, auth: &RegistryAuth) -> String {
    let client = Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() });
    let layer = ImageLayer::new(content, kind.to_owned(), None);
    let config = Config::oci_v1("{}", None);
    let reference: Reference = name.parse().unwrap();
    client.push(&reference, &[layer], config, auth, None).await.unwrap();
    client.fetch_manifest_digest(&reference, auth).await.unwrap()
}

async fn registry(folder: &Path, passwords: bool) -> Option<(Running, u16)> {
    let binary = tool("VERDICT_TEST_REGISTRY", "docker-registry")?;
    let port = free_port();
    let (data, config, file) = (folder.join("data"), folder.join("config.yml"), folder.join("passwords"));
    let mut auth = String::new();
    if passwords {
        std::fs::write(&file, PASSWORDS).unwrap();
        auth = format!("auth: {{ htpasswd: {{ realm: here, path: '{}' }} }}\n", file.display());
    }
    let text = format!(
        "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: '{}' }} }}\n\
         http: {{ addr: '127.0.0.1:{port}' }}\n{auth}",
        data.display()
    );
    std::fs::write(&config, text).unwrap();
    Some((Running::start(Command::new(binary).arg("serve").arg(&config), port).await, port))
}

#[tokio::test]
async fn follows_a_tag_of_a_real_registry_and_pins_a_digest() {
    let folder = tempfile::tempdir().unwrap();
    let Some((running, port)) = registry(folder.path(), false).await else { return };
    let name = format!("127.0.0.1:{port}/team/policies");
    let mut tagged = source(&format!("oci://{name}:live"), "");
    let words = failure(&mut tagged).await;
    assert!(words.contains("404 (not found)"), "{words}");
    let digest = push(&format!("{name}:live"), "one", LAYER, &RegistryAuth::Anonymous).await;
    assert_eq!(next(&mut tagged).await.unwrap(), b"one");
    asked(&mut tagged, 4).await;
    assert!(report(&*tagged).etag.unwrap().starts_with("sha256:"));
    let mut pinned = source(&format!("oci://{name}@{digest}"), "");
    assert_eq!(next(&mut pinned).await.unwrap(), b"one");
    push(&format!("{name}:live"), "two", LAYER, &RegistryAuth::Anonymous).await;
    assert_eq!(next(&mut tagged).await.unwrap(), b"two");
    asked(&mut pinned, 3).await;
    push(&format!("{name}:other"), "two", "application/vnd.wasm", &RegistryAuth::Anonymous).await;
    let words = failure(&mut source(&format!("oci://{name}:other"), "")).await;
    assert!(words.contains("no layer of the type"), "{words}");
    let words = failure(&mut source(&format!("oci://{name}:live"), "limits = { size = 2 }")).await;
    assert!(words.contains("larger than 2 bytes"), "{words}");
    drop(running);
    assert!(failure(&mut tagged).await.contains("cannot be reached"));
}

#[tokio::test]
async fn logs_in_to_a_real_registry() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_running, port)) = registry(folder.path(), true).await else { return };
    let name = format!("127.0.0.1:{port}/policies");
    let auth = RegistryAuth::Basic("user".to_owned(), "pass".to_owned());
    push(&format!("{name}:live"), "one", LAYER, &auth).await;
    let password = folder.path().join("password");
    std::fs::write(&password, "hush").unwrap();
    let more = format!("basic = {{ user = 'user', password_file = '{}' }}", password.display());
    let words = failure(&mut source(&format!("oci://{name}:live"), "")).await;
    assert!(words.contains("401 (unauthorized)"), "{words}");
    let mut source = source(&format!("oci://{name}:live"), &more);
    let words = failure(&mut source).await;
    assert!(words.contains("401 (unauthorized)") && !words.contains("hush"), "{words}");
    std::fs::write(&password, "pass\n").unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    let attempts = report(&*source).attempts;
    asked(&mut source, attempts + 3).await;
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn manifest(layer: &str, size: usize) -> String {
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(b"{}"), "size": 2 },
        "layers": [{ "mediaType": LAYER, "digest": layer, "size": size, "urls": ["http://192.0.2.1/b"] }],
    })
    .to_string()
}

fn name(server: &MockServer) -> String {
    format!("127.0.0.1:{}/policies", server.address().port())
}

#[tokio::test]
async fn gets_a_token_where_the_registry_says_and_keeps_it() {
    let (registry, tokens) = (MockServer::start().await, MockServer::start().await);
    let blobs = MockServer::start().await;
    let realm = format!("{}/token?account=a", tokens.uri());
    let challenge = format!("Bearer realm=\"{realm}\",service=\"here\",scope=\"repository:other:push\"");
    let layer = sha256(b"one");
    let bearer = || header("authorization", "Bearer t0");
    let found = ResponseTemplate::new(200).set_body_string(manifest(&layer, 3));
    Mock::given(path("/v2/policies/manifests/live")).and(bearer()).respond_with(found).mount(&registry).await;
    let away = ResponseTemplate::new(307).insert_header("location", format!("{}/stored", blobs.uri()));
    Mock::given(path(format!("/v2/policies/blobs/{layer}"))).and(bearer()).respond_with(away).mount(&registry).await;
    let stored = |request: &Request| {
        assert!(!request.headers.contains_key("authorization"));
        ResponseTemplate::new(200).set_body_string("one")
    };
    Mock::given(any()).respond_with(stored).mount(&blobs).await;
    let refused = ResponseTemplate::new(401).insert_header("www-authenticate", challenge.as_str());
    Mock::given(any()).respond_with(refused).mount(&registry).await;
    Mock::given(path("/token"))
        .and(header("authorization", "Basic dXNlcjpwYXNz"))
        .and(query_param("account", "a"))
        .and(query_param("service", "here"))
        .and(query_param("scope", "repository:policies:pull"))
        .respond_with(ResponseTemplate::new(200).set_body_json(serde_json::json!({ "token": "t0" })))
        .mount(&tokens)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "pass").unwrap();
    let more = format!("basic = {{ user = 'user', password_file = '{}' }}", password.display());
    let mut followed = source(&format!("oci://{}:live", name(&registry)), &more);
    assert_eq!(next(&mut followed).await.unwrap(), b"one");
    asked(&mut followed, 4).await;
    assert_eq!(tokens.received_requests().await.unwrap().len(), 1);
    std::fs::write(&password, "hush").unwrap();
    let mut other = source(&format!("oci://{}:live", name(&registry)), &more);
    let words = failure(&mut other).await;
    assert!(words.contains("needs a token") && words.contains("404") && !words.contains("hush"), "{words}");
}

#[tokio::test]
async fn sends_no_password_without_encryption_and_follows_no_nonsense() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "pass").unwrap();
    let more = format!("basic = {{ user = 'user', password_file = '{}' }}", password.display());
    for (challenge, word) in [
        ("Bearer realm=\"http://192.0.2.1/token\"", "not encrypted"),
        ("Bearer service=\"here\"", "without saying where"),
        ("Bearer realm=\"https://u:p@192.0.2.1/token\"", "without saying where"),
        ("Digest realm=\"here\"", "401"),
        ("Bearer realm=\"", "401"),
    ] {
        let registry = MockServer::start().await;
        let refused = ResponseTemplate::new(401).insert_header("www-authenticate", challenge);
        Mock::given(any()).respond_with(refused).mount(&registry).await;
        let words = failure(&mut source(&format!("oci://{}:live", name(&registry)), &more)).await;
        assert!(words.contains(word), "{challenge}: {words}");
        assert!(!registry.received_requests().await.unwrap()[0].headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn believes_only_what_fits_the_digests() {
    let layer = sha256(b"one");
    for (manifest, blob, word) in [
        (manifest(&layer, 3), "two", "other content than the digest"),
        (manifest(&layer, 3), "", "is empty"),
        (manifest("md5:0123", 3), "one", "another digest than SHA-256"),
        (manifest("sha256:../../../secret", 3), "one", "another digest than SHA-256"),
        ("{}".to_owned(), "one", "no manifest of one image"),
        ("x".repeat(5 << 20), "one", "larger than 4194304 bytes"),
    ] {
        let registry = MockServer::start().await;
        let found = ResponseTemplate::new(200).set_body_string(manifest);
        Mock::given(path("/v2/policies/manifests/live")).respond_with(found).mount(&registry).await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_string(blob)).mount(&registry).await;
        let words = failure(&mut source(&format!("oci://{}:live", name(&registry)), "")).await;
        assert!(words.contains(word), "{words}");
    }
    let registry = MockServer::start().await;
    let found = ResponseTemplate::new(200).set_body_string(manifest(&layer, 3));
    Mock::given(any()).respond_with(found).mount(&registry).await;
    let pinned = format!("oci://{}@{}", name(&registry), sha256(b"another manifest"));
    let words = failure(&mut source(&pinned, "")).await;
    assert!(words.contains("other content than the digest"), "{words}");
}
