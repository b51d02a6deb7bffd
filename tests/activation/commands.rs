//! What operators command.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use verdict::api::administration::{
    Administration as _, Cause, Expected, Kind, Operation, Patch, Put, Refusal, Target,
};

use crate::support::{Place, archive, policy, put};

#[tokio::test(flavor = "multi_thread")]
async fn going_back_is_at_once_and_sources_do_not_undo_it() {
    let place = Place::new().stored().bundle("one", "");
    place.put("one", &policy("a", "r1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    place.put("one", &policy("a", "r2", false));
    server.serves(&[("one", "r2")]).await;
    assert!(!server.allows().await);
    let since = Instant::now();
    let publication = server.handle.activate(Target::Previous, Expected::default()).await.unwrap();
    assert!(server.allows().await);
    let took = since.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?} in a debug build");
    println!("went back in {took:?}");
    assert_eq!((publication.revision.sequence, publication.cause), (3, Cause::Activate));
    assert_eq!(publication.revision.bundles["one"], "r1");
    place.put("one", &policy("a", "r3", false));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(server.allows().await && server.handle.status().pinned);
    server.stop().await;
    // A restart does not undo it either.
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(server.allows().await && server.handle.status().pinned);
    assert!(server.sequence() > 3);
    let publication = server.handle.release(Expected::default()).await.unwrap();
    assert_eq!((publication.cause, publication.revision.bundles["one"].as_str()), (Cause::Release, "r3"));
    assert!(!server.allows().await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retained_revision_is_named_by_number_or_digest() {
    let place = Place::new().bundle("one", "");
    place.put("one", &policy("a", "r1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    assert_eq!(server.handle.activate(Target::Previous, Expected::default()).await, Err(Refusal::NoEarlierRevision));
    for number in 2..=3 {
        place.put("one", &policy("a", &format!("r{number}"), false));
        server.serves(&[("one", &format!("r{number}"))]).await;
    }
    let revisions = server.handle.revisions();
    assert_eq!(revisions.iter().map(|known| known.revision.sequence).collect::<Vec<_>>(), [3, 2, 1]);
    let wrong = Expected { sequence: Some(2), digest: None };
    assert!(matches!(server.handle.activate(Target::Sequence(1), wrong).await, Err(Refusal::Conflict { .. })));
    let unknown = server.handle.activate(Target::Sequence(9), Expected::default()).await;
    assert_eq!(unknown, Err(Refusal::UnknownRevision(Target::Sequence(9))));
    let back = server.handle.activate(Target::Digest(revisions[2].revision.digest), Expected::default()).await;
    assert_eq!(back.unwrap().revision.bundles["one"], "r1");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_put_by_hand_or_only_tried() {
    let place = Place::new().bundle("one", "");
    place.put("one", &policy("a", "r1", false));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    let mut updates = server.handle.watch();
    assert_eq!(updates.next().await.unwrap().active.unwrap().revision.sequence, 1);
    let tried = Put { dry_run: true, ..put("one", policy("a", "r2", true)) };
    let report = server.handle.put(tried).await.unwrap();
    assert!(report.accepted && report.changed && report.diagnostics.is_empty(), "{report:?}");
    assert_eq!(report.changes.rules[0].path, "data.a.allow");
    assert_eq!(report.changes.rules[0].kind, Kind::Changed);
    assert!(!server.allows().await);
    let bad = archive(&[("p.rego", "package a\n\nallow := nothing\n")]);
    let report = server.handle.put(Put { dry_run: true, ..put("one", bad.clone()) }).await.unwrap();
    assert!(!report.accepted && report.diagnostics[0].code == "rego_unsafe_var_error", "{report:?}");
    assert!(matches!(server.handle.put(put("one", bad)).await, Err(Refusal::InvalidBundle { .. })));
    assert!(matches!(server.handle.put(put("two", Vec::new())).await, Err(Refusal::UnknownBundle(_))));
    assert!(matches!(server.handle.put(put("one", b"no archive".to_vec())).await, Err(Refusal::InvalidBundle { .. })));
    assert_eq!(server.sequence(), 1);
    let report = server.handle.put(put("one", policy("a", "r2", true))).await.unwrap();
    assert!(report.accepted && report.changed);
    assert_eq!(report.revision.sequence, 2);
    assert!(server.allows().await);
    let update = updates.next().await.unwrap();
    assert_eq!(update.active.unwrap().cause, Cause::Put);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_no_bundle_owns_is_patched() {
    let manifest = r#"{"revision": "r1", "roots": ["a", "users/staff"]}"#;
    let place = Place::new().stored().bundle("one", "");
    place.put(
        "one",
        &archive(&[(".manifest", manifest), ("p.rego", "package a\n\nallow if data.users.guests[input.subject.id]\n")]),
    );
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    assert!(!server.allows().await);
    let patch = |path: &str, sequence| Patch {
        operations: vec![Operation::Add { path: path.to_owned(), value: serde_json::json!({"alice": true}) }],
        expected: Expected { sequence, digest: None },
    };
    let owned = server.handle.patch(patch("/users/staff/x", None)).await;
    assert_eq!(owned, Err(Refusal::RootOwned { path: "/users/staff/x".to_owned(), owner: "one".to_owned() }));
    assert!(matches!(server.handle.patch(patch("/users", None)).await, Err(Refusal::RootOwned { .. })));
    assert!(matches!(server.handle.patch(patch("/x/y", None)).await, Err(Refusal::PatchFailed { operation: 0, .. })));
    let first = Patch {
        operations: vec![Operation::Add { path: "/colour".to_owned(), value: "red".into() }],
        expected: Expected { sequence: Some(1), digest: None },
    };
    let done = server.handle.patch(first).await.unwrap();
    assert_eq!((done.cause, done.revision.bundles["patched-data"].as_str()), (Cause::Patch, "1"));
    assert!(matches!(server.handle.patch(patch("/guests", Some(1))).await, Err(Refusal::Conflict { .. })));
    server.stop().await;
    let server = place.serve().await;
    server.serves(&[("one", "r1"), ("patched-data", "1")]).await;
    server.stop().await;
}
