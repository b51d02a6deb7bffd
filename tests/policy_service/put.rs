//! Bundles that are put, and tried.

use futures::stream;
use tonic::Code;
use tonic_types::StatusExt as _;
use verdict::api::grpc::proto::{DiagnosticSeverity, ExpectedRevision, PutBundleHeader, TestOutcome};

use crate::support::{Home, Server, archive, assert_refused, header, messages, policy};

async fn put(
    server: &Server,
    header: PutBundleHeader,
    archive: &[u8],
) -> Result<verdict::api::grpc::proto::PutBundleResponse, tonic::Status> {
    let answer = server.admin().await.put_bundle(stream::iter(messages(header, archive))).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn what_is_put_is_decided_on_and_what_is_tried_is_not() {
    let home = Home::new();
    let server = home.serve("a").await;
    assert!(server.allows().await);
    let denies = policy("authz", "v2", "deny_all := true");
    let tried = put(&server, PutBundleHeader { dry_run: true, ..header("main") }, &denies).await.unwrap();
    assert!(tried.accepted && tried.changed, "{tried:?}");
    assert!(server.allows().await);
    assert_eq!(server.sequence().await, 1);
    let done = put(&server, header("main"), &denies).await.unwrap();
    assert!(done.accepted && done.changed, "{done:?}");
    let revision = done.revision.unwrap();
    assert_eq!((revision.sequence, revision.bundles["main"].as_str()), (2, "v2"));
    let verdict = server.ask().await;
    assert_eq!(verdict.revision, Some(revision));
    assert!(!server.allows().await);
}

#[tokio::test]
async fn a_dry_run_tells_every_fault_and_test() {
    let home = Home::new();
    let server = home.serve("a").await;
    let broken = archive(&[
        (".manifest", r#"{"revision": "v2", "roots": ["authz"]}"#),
        ("a.rego", "package authz\n\nallow if { x == 1 }\n"),
        ("b.rego", "package authz\n\nallow if {\n"),
    ]);
    let tried = put(&server, PutBundleHeader { dry_run: true, ..header("main") }, &broken).await.unwrap();
    assert!(!tried.accepted && !tried.changed, "{tried:?}");
    let fault = &tried.diagnostics[0];
    let position = fault.position.as_ref().unwrap();
    assert_eq!((fault.severity(), position.line > 0), (DiagnosticSeverity::Error, true), "{fault:?}");
    let status = put(&server, header("main"), &broken).await.unwrap_err();
    assert_refused(&status, Code::InvalidArgument, "INVALID_BUNDLE");
    let places = status.get_details_bad_request().unwrap().field_violations;
    assert!(places.iter().any(|violation| violation.field.contains(".rego:3:")), "{places:?}");
    assert!(server.allows().await);

    let tested = archive(&[
        (".manifest", r#"{"revision": "v3", "roots": ["authz", "authz_test"]}"#),
        ("a.rego", "package authz\n\nallow := true\n"),
        ("a_test.rego", "package authz_test\n\ntest_good if data.authz.allow\n\ntest_bad if not data.authz.allow\n"),
    ]);
    let tried = put(&server, PutBundleHeader { dry_run: true, ..header("main") }, &tested).await.unwrap();
    let outcomes: Vec<_> = tried.tests.iter().map(|test| (test.name.as_str(), test.outcome())).collect();
    assert!(outcomes.contains(&("test_good", TestOutcome::Passed)), "{tried:?}");
    assert!(outcomes.contains(&("test_bad", TestOutcome::Failed)), "{tried:?}");
}

#[tokio::test]
async fn what_cannot_be_put_changes_nothing() {
    let home = Home::new();
    let server = home.serve_with("a", "admin: {max_bundle_bytes: 2KiB}\n").await;
    let good = policy("authz", "v2", "");
    let sequence = server.sequence().await;

    let status = put(&server, PutBundleHeader { size: 1 << 40, ..header("main") }, &good).await.unwrap_err();
    assert_refused(&status, Code::ResourceExhausted, "BUNDLE_TOO_LARGE");
    let status = put(&server, header("main"), &[7; 4_096]).await.unwrap_err();
    assert_refused(&status, Code::ResourceExhausted, "BUNDLE_TOO_LARGE");
    let status = put(&server, header("main"), b"no archive").await.unwrap_err();
    assert_refused(&status, Code::InvalidArgument, "INVALID_BUNDLE");
    let status = put(&server, header("other"), &good).await.unwrap_err();
    assert_refused(&status, Code::NotFound, "BUNDLE_NOT_FOUND");
    for faulty in [header(""), PutBundleHeader { size: 1, ..header("main") }] {
        let status = put(&server, faulty, &good).await.unwrap_err();
        assert_refused(&status, Code::InvalidArgument, "INVALID_REQUEST");
    }
    let expected = Some(ExpectedRevision { sequence: sequence + 1, ..ExpectedRevision::default() });
    let status = put(&server, PutBundleHeader { expected, ..header("main") }, &good).await.unwrap_err();
    assert_refused(&status, Code::Aborted, "REVISION_CONFLICT");
    let status = server.admin().await.put_bundle(stream::iter([])).await.unwrap_err();
    assert_refused(&status, Code::InvalidArgument, "INVALID_REQUEST");

    assert_eq!(server.sequence().await, sequence);
    assert!(server.allows().await);
}

#[tokio::test]
async fn a_bundle_is_sent_from_the_command_line() {
    let home = Home::new();
    let server = home.serve("a").await;
    let path = home.path("next.tar.gz");
    std::fs::write(&path, policy("authz", "v2", "")).unwrap();
    let file = path.to_str().unwrap();
    let ended = home.verdict(&["bundle", "push", file, "--name", "main", "--to", &server.admin, "--dry-run"], "");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("would be taken"), "{}", ended.out);
    assert!(server.allows().await);
    let ended = home.verdict(&["bundle", "push", file, "--name", "main", "--to", &server.admin], "");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("main=v2"), "{}", ended.out);
    assert!(!server.allows().await);
    std::fs::write(&path, archive(&[("a.rego", "package authz\n\nallow if {\n")])).unwrap();
    let ended = home.verdict(&["bundle", "push", file, "--name", "main", "--to", &server.admin], "");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("INVALID_BUNDLE") && ended.err.contains("a.rego:"), "{}", ended.err);
}
