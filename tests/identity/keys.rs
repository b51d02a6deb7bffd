//! Issuers whose keys come over HTTP: how often they are asked, and what they may answer.

use std::time::{Duration, Instant};

use prost::Message as _;
use serde_json::json;
use tonic::Code;
use verdict::api::grpc::proto::CheckResponse;

use crate::{
    forge::{KEYS, Keys, changed_claims, claims, token},
    issuer::{Issuer, Says, json as says},
    raw,
    rig::{Rig, bearer, seen},
    support::{Ask as _, assert_denied, codes, eventually, question},
};

fn by_url(issuer: &Issuer, more: &str) -> String {
    format!(
        "main:\n  issuer: https://issuer.example\n  jwks_url: {}/keys\n  plain_http: true\n  algorithms: [RS256, ES256]\n  audience: [api]\n{more}",
        issuer.url
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tokens_of_an_unknown_key_are_one_fetch() {
    let issuer = Issuer::saying(says(&KEYS.set("", "sig"))).await;
    let rig = Rig::new(&by_url(&issuer, "  refetch_after: 15s\n"), "");
    let server = rig.with_keys().await;
    assert_eq!(issuer.asked(), 1);
    assert_eq!(seen(&server.ask(bearer(&token(&json!({})))).await)["subject"]["id"], "alice");
    // The issuer takes a new key, and answers slowly: who asks meanwhile waits, and none asks again.
    let newer = Keys::new();
    issuer.says(Says::Slow(Duration::from_secs(3), Box::new(says(&newer.set("new-", "sig")))));
    tokio::time::sleep(Duration::from_millis(15_100)).await;
    let new = newer.token("ES256", "new-", &claims());
    let client = server.client().await;
    let ask = |token: &str| {
        let (mut client, question) = (client.clone(), bearer(token));
        async move {
            // Who finds too many before it on a busy machine asks again.
            loop {
                match client.check(question.clone()).await {
                    Ok(answer) => return answer.into_inner().verdict.unwrap(),
                    Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let old = token(&json!({"jti": "while it rotates"}));
    let all = futures::future::join_all((0..1_000).map(|_| ask(&new)));
    let (verdicts, meanwhile) = tokio::join!(all, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // On a connection of its own: of one connection's, only so many calls are under way.
        let mut apart = server.client().await;
        codes(&apart.check(bearer(&old)).await.unwrap().into_inner().verdict.unwrap()).is_empty()
    });
    assert!(verdicts.iter().all(|verdict| codes(verdict).is_empty()), "{:?}", verdicts[0]);
    assert!(meanwhile, "the key that was known goes on being used while another is fetched");
    assert_eq!(issuer.asked(), 2);
    // Too soon for another.
    let unknown = Keys::new().token("ES256", "none-", &claims());
    for verdict in futures::future::join_all((0..100).map(|_| ask(&unknown))).await {
        assert_denied(&verdict, "key_unknown");
    }
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn an_issuer_that_answers_badly_has_no_keys() {
    let redirected = Issuer::saying(says(&KEYS.set("", "sig"))).await;
    let to = format!("location: {}/keys\r\n", redirected.url);
    let html = "<!doctype html><title>Sign in</title>".to_owned();
    for (what, answer) in [
        ("nothing", Says::Nothing),
        ("an error", Says::Answer(500, String::new(), String::new())),
        ("HTML", Says::Answer(200, "content-type: text/html\r\n".to_owned(), html)),
        ("a redirection", Says::Answer(302, to, String::new())),
        ("1 GB", Says::Endless(true)),
        ("more and more", Says::Endless(false)),
        ("too late", Says::Slow(Duration::from_secs(5), Box::new(says(&KEYS.set("", "sig"))))),
        ("no set", says(&json!({"keys": {}}))),
        ("101 keys", says(&json!({"keys": vec![json!({}); 101]}))),
    ] {
        let issuer = Issuer::saying(answer).await;
        let rig = Rig::new(&by_url(&issuer, "  timeout: 300ms\n"), "");
        let server = rig.ready().await;
        server.logged("the issuer's keys can't be fetched").await;
        let began = Instant::now();
        assert_denied(&server.ask(bearer(&token(&json!({})))).await, "keys_unavailable");
        assert!(began.elapsed() < Duration::from_secs(3), "{what}");
        assert!(codes(&server.ask(question()).await).is_empty(), "{what}");
        assert!(server.resident() < 300 << 20, "{what}");
        // It gets well.
        issuer.says(says(&KEYS.set("", "sig")));
        if what == "HTML" {
            eventually("the keys are there", async || {
                codes(&server.ask(bearer(&token(&json!({})))).await).is_empty().then_some(())
            })
            .await;
        }
    }
    assert_eq!(redirected.asked(), 0);
}

#[tokio::test]
async fn keys_are_used_for_a_while_when_the_issuer_is_down_and_then_no_longer() {
    let issuer = Issuer::saying(says(&KEYS.set("", "sig"))).await;
    let rig = Rig::new(&by_url(&issuer, "  refresh: 1s\n  refetch_after: 1s\n  stale: 6s\n"), "");
    let server = rig.with_keys().await;
    issuer.says(Says::Nothing);
    let token = token(&json!({}));
    server.logged("the issuer's keys can't be fetched").await;
    assert!(codes(&server.ask(bearer(&token)).await).is_empty(), "stale, but not too stale");
    eventually("they are too stale", async || {
        (codes(&server.ask(bearer(&token)).await) == ["keys_unavailable"]).then_some(())
    })
    .await;
    issuer.says(says(&KEYS.set("", "sig")));
    eventually("they are back", async || codes(&server.ask(bearer(&token)).await).is_empty().then_some(())).await;
}

#[tokio::test]
async fn no_decision_waits_for_an_issuer_beyond_its_deadline() {
    let issuer = Issuer::saying(Says::Slow(Duration::from_secs(30), Box::new(Says::Nothing))).await;
    let rig = Rig::new(&by_url(&issuer, "  timeout: 20s\n"), "");
    let server = rig.serve().ready().await;
    let question = raw::frame(&bearer(&token(&json!({}))).encode_to_vec());
    let began = Instant::now();
    // A client that keeps no time of its own: it would give up at the same moment.
    let answer = raw::call(&server, "Check", question, &[("grpc-timeout", "400m")]).await;
    assert_eq!(answer.status().code(), Code::Ok);
    let answer = CheckResponse::decode(answer.split().remove(0)).unwrap();
    assert_denied(&answer.verdict.unwrap(), "keys_unavailable");
    // The issuer has 20 s and takes 30; the server's own limit is half a minute.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_issuer_says_where_its_keys_are() {
    for place in ["/a/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/a"] {
        let issuer = Issuer::saying(Says::Nothing).await;
        let url = issuer.url.clone();
        let name = format!("{url}/a");
        let own = name.clone();
        issuer.does(move |request| {
            if request.starts_with(&format!("GET {place} ")) {
                says(&json!({"issuer": own, "jwks_uri": format!("{url}/keys")}))
            } else if request.starts_with("GET /keys ") {
                says(&KEYS.set("", "sig"))
            } else {
                Says::Answer(404, String::new(), String::new())
            }
        });
        let rig = Rig::new(&discovery(&name), "");
        let server = rig.with_keys().await;
        let token = KEYS.token("ES256", "", &changed_claims(&json!({"iss": name})));
        assert!(codes(&server.ask(bearer(&token)).await).is_empty(), "{place}");
    }
    // Metadata of another issuer, and keys where they may not be.
    let elsewhere = Issuer::saying(says(&KEYS.set("", "sig"))).await;
    let insecure = "http://192.0.2.1/keys".to_owned();
    for (issuer_says, keys) in [("https://other.example", elsewhere.url.clone()), ("", insecure)] {
        let issuer = Issuer::saying(Says::Nothing).await;
        let name = issuer.url.clone();
        let said = if issuer_says.is_empty() { name.clone() } else { issuer_says.to_owned() };
        issuer.says(says(&json!({"issuer": said, "jwks_uri": keys})));
        let rig = Rig::new(&discovery(&name), "");
        let server = rig.ready().await;
        server.logged("the issuer's keys can't be fetched").await;
        let token = KEYS.token("ES256", "", &changed_claims(&json!({"iss": name})));
        assert_denied(&server.ask(bearer(&token)).await, "keys_unavailable");
    }
    assert_eq!(elsewhere.asked(), 0);
}

fn discovery(name: &str) -> String {
    format!(
        "main:\n  issuer: {name}\n  discovery: true\n  plain_http: true\n  algorithms: [ES256]\n  audience: [api]\n  timeout: 1s\n"
    )
}

#[tokio::test]
async fn keys_are_fetched_again_before_anyone_asks() {
    let issuer = Issuer::saying(Says::Answer(
        200,
        "cache-control: public, max-age=1\r\n".to_owned(),
        KEYS.set("", "sig").to_string(),
    ))
    .await;
    let rig = Rig::new(&by_url(&issuer, "  refetch_after: 1s\n"), "");
    let server = rig.with_keys().await;
    eventually("a second fetch", async || (issuer.asked() >= 2).then_some(())).await;
    let mut client = server.client().await;
    assert!(codes(&client.ask(bearer(&token(&json!({})))).await).is_empty());
}
