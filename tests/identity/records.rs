//! What is written down of a token: whose it was, and never itself.

use serde_json::{Value as Json, json};

use crate::{
    forge::token,
    rig::{MAIN, Rig, bearer, beside},
    support::{codes, eventually},
};

const LOG: &str = "decision_log:
  sinks:
    native: {type: file, path: DIR/native.log}
    opa: {type: file, path: DIR/opa.log, format: opa}
    masked: {type: file, path: DIR/masked.log, mask: {remove: [/input/subject/id]}}
";

#[tokio::test]
async fn records_say_whose_token_it_was_and_never_have_it() {
    let rig = Rig::new(MAIN, LOG);
    let server = rig.serve().env("VERDICT_LOG_LEVEL", "debug,verdict=trace").ready().await;
    server.logged("the issuer's keys were fetched").await;
    let good = token(&json!({"sid": "s-1", "secret_claim": "canary-claim"}));
    let old = token(&json!({"exp": 1, "jti": "old"}));
    let mut asked = bearer(&good);
    asked.explain = 2;
    assert!(codes(&server.ask(asked).await).is_empty());
    assert_eq!(codes(&server.ask(bearer(&old)).await), ["token_expired"]);
    assert_eq!(codes(&server.ask(beside("user:mallory", &good)).await), ["subject_mismatch"]);
    let records = async |name: &str| {
        eventually("three records", async || {
            let text = std::fs::read_to_string(rig.0.join(name)).unwrap_or_default();
            let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            (lines.len() == 3).then_some((text, lines))
        })
        .await
    };
    let (native, lines) = records("native.log").await;
    let whose = json!({
        "issuer": "main", "kind": "jwt", "iss": "https://issuer.example", "sub": "alice", "client_id": "app",
        "jti": "id-1", "sid": "s-1",
    });
    assert_eq!(lines[0]["token"], whose);
    assert_eq!(lines[0]["input"]["subject"]["id"], "alice");
    assert_eq!(lines[1]["reasons"], json!(["token_expired"]));
    assert_eq!((lines[1].get("token"), lines[1]["input"].get("subject")), (None, None));
    assert_eq!(lines[1]["input"]["resource"]["id"], "handbook");
    assert_eq!(lines[2]["input"]["subject"]["id"], "mallory");
    let (opa, lines) = records("opa.log").await;
    assert_eq!(lines[0]["custom"]["token"], whose);
    // Who masks the subject masks the token's, too.
    let (masked, lines) = records("masked.log").await;
    assert!(!lines[0].to_string().contains("alice"), "{:#}", lines[0]);
    let metrics = server.http("GET", "/metrics").await.2;
    let log: String = server.lines().iter().map(ToString::to_string).collect();
    for (place, text) in
        [("the records", &native), ("OPA's", &opa), ("the masked", &masked), ("the log", &log), ("metrics", &metrics)]
    {
        for token in [&good, &old] {
            for part in token.split('.') {
                assert!(!text.contains(part), "{place} has a part of a token");
            }
        }
        assert!(place == "the records" || place == "OPA's" || !text.contains("canary-claim"), "{place}");
    }
}
