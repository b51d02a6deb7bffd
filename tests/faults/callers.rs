//! Who may ask, and what: callers that nobody knows first.

use std::time::{Duration, Instant};

use serde_json::json;
use tonic::{Code, Request};
use verdict::api::grpc::proto::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, CheckStreamRequest, Effect, ExplainMode, Resource,
    SearchResourcesRequest, search_service_client::SearchServiceClient,
};

use crate::{
    forge::{KEYS, Keys, changed_claims, claims, token},
    sized,
    support::{ALWAYS, Client, Folder, Serve, Server, assert_refused, codes, eventually, question, run, to, verdict},
    tls::Authority,
};

pub(crate) const KEY: &str = "verdict_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER: &str = "verdict_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

pub(crate) const GRANTS: &str = "
grants:
  - callers: [key:ci, 'token:https://issuer.example#alice', 'spiffe://example.org/ns/*']
    actions: [ask, search]
    doors: [grpc, authzen, mcp, envoy, opa]
    entry_points: [data.always, data.seen]
  - callers: [key:operator]
    actions: [observe, administer, query]
  - callers: [key:auditor]
    actions: [ask]
    entry_points: ['*']
    explain: true
    at_revision: true
";

/// What the policy sees of the caller.
const SEEN: &str = "package seen

decision := {\"allow\": true, \"context\": {\"caller\": object.get(input, \"caller\", null)}}
";

pub(crate) fn rig(grants: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("policies/always.rego", "package always\n\ndecision := true\n\nresources := {\"a\", \"b\", \"c\"}\n");
    folder.write("policies/seen.rego", SEEN);
    folder.write("policies/other.rego", "package other\n\ndecision := true\n");
    let keys = [("ci", KEY), ("operator", OTHER), ("auditor", "verdict_C")];
    let keys = keys.map(|(name, key)| verdict::api::caller::Keys::line(name, key));
    folder.write("keys", &keys.join("\n"));
    folder.write("grants.yaml", grants);
    folder.write("jwks.json", &KEYS.set("", "sig").to_string());
    let path = folder.path().to_str().unwrap().to_owned();
    folder.write(
        "verdict.yaml",
        &format!(
            "callers:
  required: true
  keys_file: {path}/keys
  grants_file: {path}/grants.yaml
  token_audience: [verdict]
identity:
  issuers:
    main: {{issuer: 'https://issuer.example', jwks_file: {path}/jwks.json, algorithms: [RS256, ES256], audience: [api, verdict]}}
"
        ),
    );
    folder
}

pub(crate) async fn serve(folder: &Folder) -> Server {
    serving(folder, Serve::embedded()).await
}

async fn serving(folder: &Folder, serve: Serve) -> Server {
    let serve = serve.arg("--policies").arg(folder.join("policies").to_str().unwrap());
    let serve = serve.arg("--config").arg(folder.join("verdict.yaml").to_str().unwrap());
    let server = serve.env("VERDICT_HTTP_REQUEST_TIMEOUT", "20s").listening().await;
    server.logged("policies active").await;
    server.logged("the issuer's keys were fetched").await;
    server
}

pub(crate) fn shown<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    if !credential.is_empty() {
        request.metadata_mut().insert("authorization", credential.parse().unwrap());
    }
    request
}

async fn ask(server: &Server, credential: &str, question: CheckRequest) -> Result<Effect, Code> {
    let answer = server.client().await.check(shown(question, credential)).await;
    answer.map(|answer| answer.into_inner().verdict.unwrap().effect()).map_err(|status| status.code())
}

/// A request of HTTP with these lines in its head: status, head and body.
pub(crate) async fn http(server: &Server, request: &str, headers: &str, body: &str) -> (u16, String, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
}

fn bearer(credential: &str) -> String {
    format!("Bearer {credential}")
}

/// Credentials of every kind, none of them good.
fn wrong() -> Vec<String> {
    let other = Keys::new();
    let for_us = |change: serde_json::Value| {
        let mut merged = json!({"aud": "verdict"});
        merged.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        KEYS.token("ES256", "", &changed_claims(&merged))
    };
    let mut wrong =
        vec![String::new(), "Bearer".to_owned(), "Bearer ".to_owned(), "Basic Y2k6c2VjcmV0".to_owned(), KEY.to_owned()];
    for key in [
        "verdict_",
        &KEY[..KEY.len() - 1],
        &format!("{KEY}A"),
        &KEY.to_uppercase(),
        &KEY.to_lowercase(),
        &verdict::api::caller::Keys::line("ci", KEY)["ci ".len()..],
        "ci",
        "null",
        "undefined",
        "a.b.c",
        "..",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImF1ZCI6InZlcmRpY3QifQ.",
    ] {
        wrong.push(bearer(key));
    }
    for at in 0..20 {
        let mut key = KEY.as_bytes().to_vec();
        key[8 + at] = b'Z';
        wrong.push(bearer(std::str::from_utf8(&key).unwrap()));
    }
    for token in [
        // Good, but a user's: for another audience.
        token(&json!({})),
        for_us(json!({"exp": 1})),
        for_us(json!({"nbf": 99_999_999_999_u64})),
        for_us(json!({"iss": "https://other.example"})),
        for_us(json!({"sub": null})),
        for_us(json!({"aud": ["verdicts"]})),
        for_us(json!({"cnf": {"x5t#S256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}})),
        other.token("ES256", "", &changed_claims(&json!({"aud": "verdict"}))),
        for_us(json!({})).rsplit_once('.').unwrap().0.to_owned() + ".",
        for_us(json!({})) + "A",
        for_us(json!({})) + ".x",
    ] {
        wrong.push(bearer(&token));
    }
    wrong.push(format!("Bearer {KEY} {KEY}"));
    wrong.push(format!("Bearer {KEY}, Bearer {KEY}"));
    wrong
}

#[tokio::test]
async fn no_wrong_credential_of_any_kind_lets_anybody_in() {
    let folder = rig(GRANTS);
    let server = serve(&folder).await;
    let wrong = wrong();
    assert!(wrong.len() >= 50, "{}", wrong.len());
    let mut texts = std::collections::BTreeSet::new();
    for credential in &wrong {
        let status = server.client().await.check(shown(to(ALWAYS), credential)).await.expect_err(credential);
        assert_refused(&status, Code::Unauthenticated, "UNAUTHENTICATED");
        texts.insert(status.message().to_owned());
        let headers = if credential.is_empty() { String::new() } else { format!("authorization: {credential}\r\n") };
        for request in [
            "POST /v1/data/always/decision",
            "POST /access/v1/evaluation",
            "GET /metrics",
            "POST /mcp/v1/check",
            "GET /nothing",
        ] {
            let (status, head, body) = http(&server, request, &headers, "{}").await;
            assert_eq!(status, 401, "{request} {credential}: {body}");
            assert!(head.to_ascii_lowercase().contains("www-authenticate: bearer realm=\"verdict\""), "{head}");
            assert!(!body.contains("verdict_") && !head.contains("verdict_"));
        }
    }
    assert_eq!(texts.len(), 1, "one answer for all: {texts:?}");
    // Two credentials are none.
    let mut two = shown(to(ALWAYS), &bearer(KEY));
    two.metadata_mut().append("authorization", bearer(KEY).parse().unwrap());
    assert_eq!(server.client().await.check(two).await.unwrap_err().code(), Code::Unauthenticated);
    println!("figure: {} wrong credentials, 0 let in", wrong.len() + 1);
    let operator = format!("authorization: {}\r\n", bearer(OTHER));
    let (_, _, metrics) = http(&server, "GET /metrics", &operator, "").await;
    let count = |shown: &str| -> u64 {
        let sample = format!("verdict_caller_failures_total{{shown=\"{shown}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&sample)).unwrap().parse().unwrap()
    };
    // Each was shown once over gRPC and at five paths of HTTP.
    assert_eq!(count("nothing"), 6);
    assert!(count("key") >= 120 && count("token") >= 60 && count("malformed") >= 20, "{metrics}");
    assert_eq!(ask(&server, &bearer(KEY), to(ALWAYS)).await, Ok(Effect::Allow), "the right one");
    let for_us = KEYS.token("ES256", "", &changed_claims(&json!({"aud": "verdict"})));
    assert_eq!(ask(&server, &bearer(&for_us), to(ALWAYS)).await, Ok(Effect::Allow), "a token for us");
    assert!(claims()["sub"] == "alice");
    for line in server.lines() {
        assert!(!line.to_string().contains(KEY), "no key in the log");
    }
}

#[tokio::test]
async fn what_is_not_granted_is_refused_at_every_door() {
    let folder = rig(GRANTS);
    let open = Serve::embedded().env("VERDICT_OPA_WRITE", "true").env("VERDICT_OPA_QUERY", "true");
    let server = serving(&folder, open).await;
    let key = bearer(KEY);
    let refused = Err(Code::PermissionDenied);
    assert_eq!(ask(&server, &key, to("data.other")).await, refused);
    assert_eq!(ask(&server, &key, to("data.alway")).await, refused);
    assert_eq!(ask(&server, &key, to("data.always2")).await, refused);
    assert_eq!(ask(&server, &key, question()).await, refused, "the default one");
    let explained = CheckRequest { explain: ExplainMode::On.into(), ..to(ALWAYS) };
    assert_eq!(ask(&server, &key, explained.clone()).await, refused);
    assert_eq!(ask(&server, "Bearer verdict_C", explained).await, Ok(Effect::Allow), "the auditor may");
    assert_eq!(ask(&server, &bearer(OTHER), to(ALWAYS)).await, refused, "the operator asks nothing");
    // One item of a batch refuses all of it.
    let items = ["data.always", "data.other"].map(|policy| {
        let CheckRequest { subject, action, resource, .. } = question();
        BatchCheckItem { subject, action, resource, policy: policy.to_owned(), ..BatchCheckItem::default() }
    });
    let batch = BatchCheckRequest { items: items.to_vec(), ..BatchCheckRequest::default() };
    let status = server.client().await.batch_check(shown(batch, &key)).await.unwrap_err();
    assert_refused(&status, Code::PermissionDenied, "PERMISSION_DENIED");
    // A stream denies the item.
    let asked = [to(ALWAYS), to("data.other")].map(|question| {
        let request_id = question.policy.clone();
        CheckStreamRequest { question: Some(CheckRequest { request_id, ..question }) }
    });
    let stream = shown(tokio_stream::iter(asked), &key);
    let mut answers = server.client().await.check_stream(stream).await.unwrap().into_inner();
    let mut effects = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        use verdict::api::grpc::proto::check_stream_response::Answer;
        let Some(Answer::Verdict(verdict)) = answer.answer else { panic!("a verdict") };
        effects.push((verdict.effect(), codes(&verdict).join(" ")));
    }
    effects.sort_by_key(|(effect, _)| i32::from(*effect));
    assert_eq!(effects, [(Effect::Allow, String::new()), (Effect::Deny, "permission_denied".to_owned())]);
    // HTTP.
    let (key, operator) = (format!("authorization: {key}\r\n"), format!("authorization: {}\r\n", bearer(OTHER)));
    for (request, body) in [
        ("POST /v1/data/other/decision", "{}"),
        ("GET /v1/data", ""),
        ("GET /v1/data/other", ""),
        ("GET /metrics", ""),
        ("GET /v1/config", ""),
        ("GET /v1/policies", ""),
        ("POST /v1/query", "{\"query\": \"data.other\"}"),
        ("PUT /v1/data/x", "1"),
        ("GET /nothing", ""),
        (
            "POST /access/v1/evaluation",
            r#"{"subject":{"type":"a","id":"b"},"action":{"name":"c"},"resource":{"type":"d","id":"e"}}"#,
        ),
        (
            "POST /access/v1/search/subject",
            r#"{"subject":{"type":"a"},"action":{"name":"c"},"resource":{"type":"d","id":"e"}}"#,
        ),
    ] {
        let (status, head, body) =
            http(&server, request, &format!("{key}content-type: application/json\r\n"), body).await;
        assert_eq!(status, 403, "{request}: {head} {body}");
    }
    assert_eq!(http(&server, "POST /v1/data/always/decision", &key, "{}").await.0, 200);
    let (status, _, metrics) = http(&server, "GET /metrics", &operator, "").await;
    let denied = |door: &str| metrics.contains(&format!("verdict_caller_denials_total{{door=\"{door}\"}} 0\n"));
    assert!(status == 200 && !denied("grpc") && !denied("opa") && denied("mcp"), "{metrics}");
    assert!(metrics.contains("verdict_cache_requests_total{cache=\"callers\",result=\"hit\"}"), "{metrics}");
    assert_eq!(http(&server, "POST /v1/data/always/decision", &operator, "{}").await.0, 403);
    // Who may administer and query, may.
    let headers = format!("{operator}content-type: application/json\r\n");
    for none_match in ["", "if-none-match: *\r\n"] {
        let (status, _, body) =
            http(&server, "PUT /v1/data/stock", &format!("{headers}{none_match}"), "{\"a\": 1}").await;
        // A plain folder owns all data: the change is looked at, and not made.
        assert!(status == 400 && body.contains("belongs to"), "{status} {body}");
    }
    let (status, _, body) =
        http(&server, "POST /v1/query", &headers, "{\"query\": \"x := data.always.decision\"}").await;
    assert!(status == 200 && body.contains("\"x\":true"), "{status} {body}");
    // Health is everyone's.
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(http(&server, &format!("GET {path}"), "", "").await.0, 200);
    }
    assert_eq!(server.health("").await, Ok(1));
}

#[tokio::test]
async fn policies_see_who_asks_and_nobody_can_say_to_be_another() {
    let folder = rig(GRANTS);
    let server = serve(&folder).await;
    let seen = async |credential: &str| {
        let answer = server.client().await.check(shown(to("data.seen"), credential)).await.unwrap();
        let verdict = answer.into_inner().verdict.unwrap();
        verdict::api::grpc::received::verdict(verdict).context.get("caller").cloned()
    };
    let id = |caller: Option<verdict::decision::Value>| match caller {
        Some(verdict::decision::Value::Object(caller)) => caller.get("id").cloned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(id(seen(&bearer(KEY)).await), Some("key:ci".into()));
    let for_us = KEYS.token("ES256", "", &changed_claims(&json!({"aud": "verdict"})));
    assert_eq!(id(seen(&bearer(&for_us)).await), Some("token:https://issuer.example#alice".into()));
    // A document of OPA's door is the caller's own, but for who calls.
    let key = format!("authorization: {}\r\ncontent-type: application/json\r\n", bearer(KEY));
    let forged = r#"{"input": {"caller": {"id": "key:operator"}}}"#;
    let (status, _, body) = http(&server, "POST /v1/data/seen/decision", &key, forged).await;
    assert_eq!(status, 200);
    assert!(body.contains("key:ci") && !body.contains("key:operator"), "{body}");
}

#[tokio::test]
async fn a_certificate_is_a_caller_and_a_header_goes_before_it() {
    let (authority, folder) = (Authority::new(), rig(GRANTS));
    let server = serving(&folder, authority.secure(Serve::embedded())).await;
    let asked = async |mut client: Client, credential: &str, policy: &str| {
        let answer = client.check(shown(to(policy), credential)).await;
        answer.map(|answer| answer.into_inner().verdict.unwrap().effect()).map_err(|status| status.code())
    };
    let gateway = authority.issue(&["spiffe://example.org/ns/gateway"], 2);
    let client = || authority.client(&server, Some(&gateway));
    assert_eq!(asked(client(), "", ALWAYS).await, Ok(Effect::Allow));
    assert_eq!(asked(client(), "", "data.other").await, Err(Code::PermissionDenied));
    assert_eq!(
        asked(client(), "Bearer verdict_wrong", ALWAYS).await,
        Err(Code::Unauthenticated),
        "what is shown must be good"
    );
    for names in [&["spiffe://example.org/nsx"][..], &["spiffe://example.net/ns/a"], &["gateway.example.org"]] {
        let other = authority.issue(names, 3);
        assert_eq!(
            asked(authority.client(&server, Some(&other)), "", ALWAYS).await,
            Err(Code::PermissionDenied),
            "{names:?}"
        );
    }
    // From the authority, but nobody in particular.
    for names in [&[][..], &["a.test", "b.test"], &["spiffe://example.org/ns/a", "spiffe://example.org/ns/b"]] {
        let nobody = authority.issue(names, 4);
        assert_eq!(
            asked(authority.client(&server, Some(&nobody)), "", ALWAYS).await,
            Err(Code::Unauthenticated),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn keys_and_grants_change_while_it_runs_and_broken_ones_do_not_count() {
    let folder = rig(GRANTS);
    let server = serve(&folder).await;
    assert_eq!(ask(&server, &bearer(KEY), to(ALWAYS)).await, Ok(Effect::Allow));
    folder.write("grants.yaml", "grants: [{callers: ['key:ci'], actions: [ask], entry_pionts: ['*']}]");
    server.logged("can't be read anew").await;
    assert_eq!(ask(&server, &bearer(KEY), to(ALWAYS)).await, Ok(Effect::Allow), "the last good ones go on");
    assert_eq!(ask(&server, &bearer(KEY), to("data.other")).await, Err(Code::PermissionDenied));
    folder.write("grants.yaml", "grants: [{callers: ['key:ci'], actions: [ask], entry_points: [data.other]}]");
    server.logged("who may ask what has changed").await;
    assert_eq!(ask(&server, &bearer(KEY), to("data.other")).await, Ok(Effect::Allow));
    folder.write("keys", "# nobody\n");
    eventually("the key is no longer good", async || {
        (ask(&server, &bearer(KEY), to("data.other")).await == Err(Code::Unauthenticated)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_policy_of_one_s_own_takes_the_place_of_the_built_in_one() {
    let folder = rig(GRANTS);
    folder.write("own/authz.rego", "package system.authz\n\ndefault allow := false\n\nallow if {\n\tinput.caller.id == \"key:ci\"\n\tinput.entry_point == \"data.other\"\n}\n");
    let path = folder.path().to_str().unwrap().to_owned();
    folder.write("verdict.yaml", &format!("callers: {{required: true, keys_file: {path}/keys, policy: {path}/own}}"));
    let serve = Serve::embedded().arg("--policies").arg(folder.join("policies").to_str().unwrap());
    let server = serve.arg("--config").arg(folder.join("verdict.yaml").to_str().unwrap()).listening().await;
    server.logged("policies active").await;
    assert_eq!(ask(&server, &bearer(KEY), to("data.other")).await, Ok(Effect::Allow));
    assert_eq!(ask(&server, &bearer(KEY), to(ALWAYS)).await, Err(Code::PermissionDenied));
    assert_eq!(ask(&server, &bearer(OTHER), to("data.other")).await, Err(Code::PermissionDenied));
    // A set that is asked can't open the door.
    folder.write("policies/authz.rego", "package system.authz\n\nallow := true\n");
    server.logged_where("a second set", |line| line["message"] == "policies active" && line["sequence"] == 2).await;
    assert_eq!(ask(&server, &bearer(OTHER), to("data.other")).await, Err(Code::PermissionDenied));
}

/// Answers are remembered: of that question, that caller and that policy only.
#[tokio::test]
async fn a_grant_that_is_taken_back_is_gone_with_all_that_was_answered_by_it() {
    let folder = rig(GRANTS);
    let server = serve(&folder).await;
    // One connection: what is remembered must be looked up, on every thread.
    let ask = async |client: &Client, credential: &str, question: CheckRequest| {
        let answer = client.clone().check(shown(question, credential)).await;
        answer.map(|answer| answer.into_inner().verdict.unwrap().effect()).map_err(|status| status.code())
    };
    let (client, key, refused) = (server.client().await, bearer(KEY), Err(Code::PermissionDenied));
    let explained = CheckRequest { explain: ExplainMode::On.into(), ..to(ALWAYS) };
    let mut expected = Ok(Effect::Allow);
    for round in 0..6 {
        for _ in 0..50 {
            assert_eq!(ask(&client, &key, to(ALWAYS)).await, expected);
            assert_eq!(ask(&client, "Bearer verdict_C", to(ALWAYS)).await, Ok(Effect::Allow), "another caller");
            assert_eq!(ask(&client, &bearer(OTHER), to(ALWAYS)).await, refused, "and another");
            assert_eq!(ask(&client, &key, explained.clone()).await, refused, "another question");
            assert_eq!(ask(&client, &key, to("data.other")).await, refused, "and another");
        }
        let granted = expected == refused;
        folder.write("grants.yaml", &if granted { GRANTS.to_owned() } else { GRANTS.replace("key:ci, ", "") });
        let said = || server.lines().iter().filter(|line| line["message"] == "who may ask what has changed").count();
        eventually("it is taken", async || (said() > round).then_some(())).await;
        expected = if granted { Ok(Effect::Allow) } else { refused };
    }
}

#[tokio::test]
async fn a_policy_that_looks_at_the_clock_is_asked_each_time() {
    let folder = rig(GRANTS);
    folder.write(
        "own/authz.rego",
        "package system.authz\n\ndefault allow := false\n\nallow if floor(time.now_ns() / 1000) % 2 == 0\n",
    );
    let path = folder.path().to_str().unwrap().to_owned();
    folder.write("verdict.yaml", &format!("callers: {{required: true, keys_file: {path}/keys, policy: {path}/own}}"));
    let serve = Serve::embedded().arg("--policies").arg(folder.join("policies").to_str().unwrap());
    let server = serve.arg("--config").arg(folder.join("verdict.yaml").to_str().unwrap()).listening().await;
    server.logged("policies active").await;
    for wanted in [Ok(Effect::Allow), Err(Code::PermissionDenied), Ok(Effect::Allow), Err(Code::PermissionDenied)] {
        eventually("the clock decides", async || {
            (ask(&server, &bearer(KEY), to(ALWAYS)).await == wanted).then_some(())
        })
        .await;
    }
}

#[test]
fn what_is_not_understood_ends_the_start() {
    for (grants, more) in [
        ("grants: [{callers: ['ci'], actions: [ask]}]", "names no caller"),
        ("grants: [{callers: ['*'], actions: [ask]}]", "names no caller"),
        ("grants: [{callers: ['key:*'], actions: [ask]}]", "names no caller"),
        ("grants: [{callers: ['spiffe://*'], actions: [ask]}]", "names no caller"),
        ("grants: [{callers: ['key:ci'], actions: [rule]}]", "no action"),
        ("grants: [{callers: ['key:ci'], actions: [ask], doors: [window]}]", "no door"),
        ("grants: [{callers: ['key:ci'], actions: [ask], entry_points: [authz]}]", "no reference"),
        ("grants: [{callers: ['key:ci'], action: [ask]}]", "unknown field"),
        ("{}", "missing field"),
    ] {
        let folder = rig(grants);
        let serve = Serve::embedded().arg("--config").arg(folder.join("verdict.yaml").to_str().unwrap());
        let ended = serve.run();
        assert_eq!(ended.code, Some(64), "{grants}");
        assert!(ended.stderr.contains(more), "{}", ended.stderr);
    }
    for (more, part) in
        [("callers: {required: true}", "nobody is allowed anything"), ("callers: {keys_file: x}", "does nothing")]
    {
        let folder = Folder::with(&[("verdict.yaml", more)]);
        let ended =
            run(verdict().args(["serve", "--check-config", "--config", folder.join("verdict.yaml").to_str().unwrap()]));
        assert_eq!(ended.code, Some(64), "{more}");
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_command_line_makes_keys_and_shows_them() {
    let folder = rig(GRANTS);
    let made = run(verdict().args(["key", "ci"]));
    assert_eq!(made.code, Some(0));
    let part = |name: &str| made.stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    folder.write("keys", &part("line"));
    folder.write("key", &part("key"));
    let server = serve(&folder).await;
    let question = ["check", "--subject", "user:a", "--action", "read", "--resource", "document:d", "--policy", ALWAYS];
    let ask = |more: &[&str]| run(verdict().args(question).args(["--server", &server.grpc]).args(more)).code;
    assert_eq!(ask(&["--bearer-file", folder.join("key").to_str().unwrap()]), Some(0));
    assert_eq!(ask(&[]), Some(2));
    assert_eq!(run(verdict().args(["key", "a b"])).code, Some(2));
}

/// The time of a comparison says nothing of how much of a key is right: medians of `VERDICT_TEST_TIMING` (300) calls.
#[test]
fn comparing_keys_takes_the_same_time_whatever_is_right() {
    let rounds = sized("VERDICT_TEST_TIMING", 300);
    let lines: Vec<_> = (0..100).map(|at| verdict::api::caller::Keys::line("a", &format!("verdict_{at}"))).collect();
    let keys: verdict::api::caller::Keys = lines.join("\n").parse().unwrap();
    let median = |key: &str| {
        let mut times: Vec<Duration> = (0..rounds)
            .map(|_| {
                let started = Instant::now();
                std::hint::black_box(keys.whose(std::hint::black_box(key)));
                started.elapsed()
            })
            .collect();
        times.sort();
        times[rounds / 2]
    };
    let (first, last, none) = (median("verdict_0"), median("verdict_99"), median("verdict_x"));
    println!("figure: the first of 100 keys {first:?}, the last {last:?}, none of them {none:?}");
    if std::env::var_os("VERDICT_TEST_TIMING").is_some() {
        let (least, most) = (first.min(last).min(none), first.max(last).max(none));
        assert!(most.as_secs_f64() < 1.05 * least.as_secs_f64(), "it tells by {:?}", most.checked_sub(least));
    }
}

#[tokio::test]
async fn envoy_is_denied_and_no_call_fails_whoever_asks() {
    use envoy_types::{
        ext_authz::v3::pb::{CheckRequest as Asked, CheckResponse as Answered},
        pb::envoy::service::auth::v3::{
            AttributeContext,
            attribute_context::{HttpRequest, Request as Attributes},
        },
    };
    let http =
        HttpRequest { method: "GET".to_owned(), path: "/".to_owned(), host: "x".to_owned(), ..HttpRequest::default() };
    let request = Attributes { http: Some(http), ..Attributes::default() };
    let asked = Asked { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) };
    let folder = rig(GRANTS);
    folder.write("policies/envoy.rego", "package envoy.authz\n\nallow := true\n");
    let server = serve(&folder).await;
    // What Envoy takes for a deny whatever its `failure_mode_allow` says: an answer, and not of code 0.
    for credential in ["", "Bearer verdict_wrong", &bearer(KEY), &bearer(OTHER), "Bearer verdict_C"] {
        let mut client = tonic::client::Grpc::new(server.channel().await);
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<Asked, Answered>::default();
        let path = "/envoy.service.auth.v3.Authorization/Check".parse().unwrap();
        let answer = client.unary(shown(asked.clone(), credential), path, codec).await.expect("an answer");
        let allowed = answer.into_inner().status.is_some_and(|status| status.code == 0);
        // Only the auditor may ask every entry point.
        assert_eq!(allowed, credential == "Bearer verdict_C", "{credential}");
    }
}

#[tokio::test]
async fn records_say_who_asked() {
    let folder = rig(GRANTS);
    let path = folder.path().to_str().unwrap().to_owned();
    let settings = std::fs::read_to_string(folder.join("verdict.yaml")).unwrap();
    let sink = format!("decision_log:\n  sinks:\n    file: {{type: file, path: {path}/decisions.jsonl}}\n");
    folder.write("verdict.yaml", &(settings + &sink));
    let server = serve(&folder).await;
    assert_eq!(ask(&server, &bearer(KEY), to(ALWAYS)).await, Ok(Effect::Allow));
    assert_eq!(ask(&server, &bearer(KEY), to("data.other")).await, Err(Code::PermissionDenied));
    assert_eq!(search(&server, &bearer(KEY), ALWAYS).await, Ok(3));
    let records = eventually("all are recorded", async || {
        let text = std::fs::read_to_string(folder.join("decisions.jsonl")).ok()?;
        let records: Vec<serde_json::Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (records.len() >= 3).then_some(records)
    })
    .await;
    assert_eq!(records[2]["search"]["allowed"], 3);
    assert!(records.iter().all(|record| record["caller_id"] == "key:ci"), "{records:?}");
    assert_eq!(records[1]["reasons"], json!(["permission_denied"]));
    assert!(!records.iter().any(|record| record.to_string().contains(KEY)));
}

async fn search(server: &Server, credential: &str, policy: &str) -> Result<usize, Code> {
    let CheckRequest { subject, action, resource, .. } = question();
    let request = SearchResourcesRequest {
        subject,
        action,
        resource: resource.map(|resource| Resource { id: String::new(), ..resource }),
        policy: policy.to_owned(),
        ..SearchResourcesRequest::default()
    };
    let mut client = SearchServiceClient::new(server.channel().await);
    let mut found =
        client.search_resources(shown(request, credential)).await.map_err(|status| status.code())?.into_inner();
    let mut many = 0;
    while found.message().await.map_err(|status| status.code())?.is_some() {
        many += 1;
    }
    Ok(many)
}

#[tokio::test]
async fn a_search_finds_what_its_caller_may_ask_and_others_search_nothing() {
    let folder = rig(GRANTS);
    let server = serve(&folder).await;
    let search = async |credential: &str, policy: &str| search(&server, credential, policy).await;
    assert_eq!(search(&bearer(KEY), ALWAYS).await, Ok(3), "each candidate is asked by the caller");
    assert_eq!(search(&bearer(KEY), "data.other").await, Err(Code::PermissionDenied));
    assert_eq!(
        search("Bearer verdict_C", ALWAYS).await,
        Err(Code::PermissionDenied),
        "the auditor asks, and does not search"
    );
    assert_eq!(search("", ALWAYS).await, Err(Code::Unauthenticated));
}
