//! What several sources give.

use verdict::{
    api::administration::Administration as _,
    bundle::signing::{self, Algorithm, SigningKey},
};

use crate::support::{Place, archive, package, policy};

#[tokio::test(flavor = "multi_thread")]
async fn bundles_that_come_together_are_one_publication() {
    let place = Place::new().bundle("one", "").bundle("two", "");
    place.put("one", &policy("a", "r1", true));
    place.put("two", &policy("b", "s1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1"), ("two", "s1")]).await;
    assert_eq!(server.sequence(), 1);
    let revision = server.ask().await.revision.unwrap();
    let named: Vec<_> = revision.bundles.iter().map(|(name, revision)| format!("{name}={revision}")).collect();
    assert_eq!(named, ["one=r1", "two=s1"]);
    place.put("one", &policy("a", "r2", false));
    place.put("two", &policy("b", "s2", true));
    server.serves(&[("one", "r2"), ("two", "s2")]).await;
    assert!(!server.allows().await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_while_a_bundle_is_missing() {
    let place = Place::new().bundle("one", "").bundle("two", "").setting("start_timeout: 100ms");
    place.put("one", &policy("a", "r1", true));
    let server = place.serve().await;
    server
        .until("says what is missing", |handle| {
            handle.status().failure.is_some_and(|failure| failure.message.contains("`two`"))
        })
        .await;
    assert!(server.handle.status().active.is_none());
    assert_eq!(server.try_ask(crate::support::question()).await.unwrap_err().code(), tonic::Code::Unavailable);
    place.put("two", &policy("b", "s1", true));
    server.serves(&[("one", "r1"), ("two", "s1")]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_bad_keeps_its_last_good_content_while_others_go_on() {
    let place = Place::new().bundle("one", "").bundle("two", "");
    place.put("one", &policy("a", "r1", true));
    place.put("two", &policy("b", "s1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1"), ("two", "s1")]).await;
    place.put(
        "one",
        &archive(&[(".manifest", r#"{"revision": "r2", "roots": ["a"]}"#), ("p.rego", "package a\nallow := ")]),
    );
    place.put("two", &policy("b", "s2", true));
    server.serves(&[("one", "r1"), ("two", "s2")]).await;
    server
        .until("says why", |handle| {
            handle.status().bundles[0].failure.as_ref().is_some_and(|failure| failure.message.contains("p.rego"))
        })
        .await;
    assert_eq!(server.failure("two"), None);
    assert!(server.allows().await);
    place.put("one", &policy("a", "r3", false));
    server.serves(&[("one", "r3"), ("two", "s2")]).await;
    assert_eq!(server.failure("one"), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_that_overlap_are_refused_and_both_named() {
    let place = Place::new().bundle("one", "").bundle("two", "");
    place.put("one", &policy("a", "r1", true));
    place.put("two", &policy("b", "s1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1"), ("two", "s1")]).await;
    place.put("two", &policy("a", "s2", false));
    server.until("says why", |handle| handle.status().failure.is_some()).await;
    let told = server.failure("two").unwrap();
    assert!(told.contains("`one`") && told.contains("`two`") && told.contains("`a`"), "{told}");
    assert!(server.allows().await);
    assert_eq!(server.sequence(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_that_fail_keep_a_bundle_out_where_they_are_required() {
    let with_test = |revision: &str, expected: bool| {
        let manifest = format!(r#"{{"revision": "{revision}", "roots": ["a", "a_test"]}}"#);
        let test = format!("package a_test\n\ntest_allow if data.a.allow == {expected}\n");
        archive(&[(".manifest", &manifest), ("p.rego", "package a\n\nallow := true\n"), ("p_test.rego", &test)])
    };
    let place = Place::new().bundle("one", "").setting("tests: require");
    place.put("one", &with_test("good", true));
    let server = place.serve().await;
    server.serves(&[("one", "good")]).await;
    place.put("one", &with_test("bad", false));
    server.until("says why", |handle| handle.status().failure.is_some()).await;
    let told = server.failure("one").unwrap();
    assert!(told.starts_with("test: ") && told.contains("data.a_test.test_allow"), "{told}");
    assert_eq!(server.sequence(), 1);
    server.stop().await;
    let place = Place::new().bundle("one", "").setting("tests: warn");
    place.put("one", &with_test("bad", false));
    let server = place.serve().await;
    server.serves(&[("one", "bad")]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_as_it_must_be_is_refused() {
    let place = Place::new();
    let key = place.path("key");
    std::fs::write(&key, "a secret of thirty-two bytes, or more").unwrap();
    let verification = format!("verification: {{key_file: '{}', algorithm: HS256, key_id: k}}", key.display());
    let place = place.bundle("one", &verification);
    let signed = |revision: &str, secret: &[u8]| {
        let manifest = format!(r#"{{"revision": "{revision}"}}"#);
        let mut package = package(&[(".manifest", &manifest), ("p.rego", "package a\n\nallow := true\n")]);
        let key = SigningKey::new(Algorithm::Hs256, secret).unwrap();
        let signature = signing::sign(&package, &key, &signing::Options::default()).unwrap();
        package.signatures = Some(signature);
        package.write(verdict::bundle::Compression::Gzip)
    };
    place.put("one", &signed("r1", b"a secret of thirty-two bytes, or more"));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    for archive in [policy("a", "r2", false), signed("r2", b"another secret of thirty-two bytes, or")] {
        let before = server.handle.status().bundles[0].failure.clone();
        place.put("one", &archive);
        server
            .until("says why", |handle| {
                let failure = handle.status().bundles[0].failure.clone();
                failure != before && failure.is_some_and(|failure| failure.step == "verify")
            })
            .await;
        assert!(server.allows().await);
    }
    place.put("one", &signed("r3", b"a secret of thirty-two bytes, or more"));
    server.serves(&[("one", "r3")]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_does_not_fall() {
    let numbered = |sequence: &str, revision: &str| {
        let manifest = format!(r#"{{"revision": "{revision}", "metadata": {{"sequence": {sequence}}}}}"#);
        archive(&[(".manifest", &manifest), ("p.rego", "package a\n\nallow := true\n")])
    };
    let place = Place::new().bundle("one", "min_sequence: 5");
    place.put("one", &numbered("5", "r5"));
    let server = place.serve().await;
    server.serves(&[("one", "r5")]).await;
    place.put("one", &numbered("7", "r7"));
    server.serves(&[("one", "r7")]).await;
    place.put("one", &numbered("6", "r6"));
    server.until("says why", |handle| handle.status().bundles[0].failure.is_some()).await;
    assert!(server.failure("one").unwrap().contains("is 6, and must be at least 7"), "{:?}", server.failure("one"));
    let mut put = crate::support::put("one", numbered("6", "r6"));
    assert!(server.handle.put(put.clone()).await.is_err());
    put.allow_downgrade = true;
    assert!(server.handle.put(put).await.unwrap().changed);
    server.serves(&[("one", "r6")]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_changes_what_there_is_and_only_that() {
    let manifest = r#"{"revision": "r1"}"#;
    let policy = "package a\n\nallow if data.users[input.subject.id]\n";
    let whole = archive(&[(".manifest", manifest), ("p.rego", policy), ("data.json", r#"{"users": {"bob": true}}"#)]);
    let delta = |revision: &str, path: &str| {
        let manifest = format!(r#"{{"revision": "{revision}"}}"#);
        let patch = format!(r#"{{"data": [{{"op": "upsert", "path": "{path}", "value": true}}]}}"#);
        archive(&[(".manifest", &manifest), ("patch.json", &patch)])
    };
    let place = Place::new().stored().bundle("one", "");
    // There is nothing yet that it could change.
    place.put("one", &delta("r0", "/users/alice"));
    let server = place.serve().await;
    server.until("says why", |handle| handle.status().failure.is_some()).await;
    assert!(server.handle.status().active.is_none());
    place.put("one", &whole);
    server.serves(&[("one", "r1")]).await;
    assert!(!server.allows().await);
    place.put("one", &delta("r2", "/users/alice"));
    server.serves(&[("one", "r2")]).await;
    assert!(server.allows().await);
    server.stop().await;
    place.take_away("one");
    let server = place.serve().await;
    server.serves(&[("one", "r2")]).await;
    assert!(server.allows().await);
    server.stop().await;
}
