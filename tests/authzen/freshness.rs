//! `Verdict-At-Least-As-Fresh`: an answer on policies that are as fresh as the caller needs, or none.

use serde_json::{Value as Json, json};

use crate::{
    client::{Answer, EVALUATION, EVALUATIONS, send},
    support::{Folder, Serve, Server},
};

const ALLOWS: &str = "package p\n\nallow if true\n\nsubjects := [\"a\"]\n";

async fn serve(timeout: &str) -> (Folder, Server) {
    let folder = Folder::always(&[("p.rego", "package p\n\ndefault allow := false\n\nsubjects := [\"a\"]\n")]);
    let serve = Serve::folder(&folder).env("VERDICT_HTTP_REQUEST_TIMEOUT", timeout);
    let server = serve.arg("--default-policy").arg("data.p").ready().await;
    (folder, server)
}

fn question() -> Json {
    json!({"subject": {"type": "u", "id": "a"}, "action": {"name": "r"}, "resource": {"type": "d", "id": "1"}})
}

async fn fresh(server: &Server, path: &str, wanted: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("verdict-at-least-as-fresh", wanted)];
    let mut asked = question();
    if path == EVALUATIONS {
        asked["evaluations"] = json!([{}]);
    }
    send(server, "POST", path, &headers, asked.to_string().as_bytes()).await
}

const SEARCH: &str = "/access/v1/search/subject";

#[tokio::test]
async fn waits_for_the_revision_and_answers_on_it() {
    let (folder, server) = serve("30s").await;
    for path in [EVALUATION, EVALUATIONS, SEARCH] {
        let answer = fresh(&server, path, "1").await;
        assert!(answer.headers["verdict-revision"].starts_with("1 sha256:"), "{answer:?}");
        assert_eq!(answer.status, 200);
    }
    let waiting = async { fresh(&server, EVALUATION, "2").await };
    let changing = async { folder.write("p.rego", ALLOWS) };
    let (answer, ()) = tokio::join!(waiting, changing);
    assert!(answer.headers["verdict-revision"].starts_with("2 sha256:") && answer.decision(), "{answer:?}");
}

#[tokio::test]
async fn what_does_not_become_fresh_in_time_is_an_error() {
    let (_folder, server) = serve("300ms").await;
    for path in [EVALUATION, EVALUATIONS, SEARCH] {
        for wanted in ["2", "users=r7", "1, users=r7"] {
            let answer = fresh(&server, path, wanted).await;
            let message = answer.refused(412);
            assert!(message.contains("not fresh enough"), "{wanted}: {message}");
        }
    }
    let metric = server.metric(r#"verdict_call_errors_total{reason="NOT_FRESH_ENOUGH"}"#).await;
    assert_eq!(metric, Some(9.0));
    for wanted in ["", "x", "-1", "1.5", "2,3", "a=", "1,", "999999999999999999999"] {
        for path in [EVALUATION, EVALUATIONS, SEARCH] {
            let answer = fresh(&server, path, wanted).await;
            assert!(answer.refused(400).contains("Verdict-At-Least-As-Fresh"), "{wanted}: {answer:?}");
        }
    }
}
