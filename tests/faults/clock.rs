//! A clock that somebody sets, by an hour and by ten years, while the server runs: `faketime` (libfaketime) does it.
//!
//! The monotonic clock stays as it is: that is what the system has of its own. Without the library the test is skipped,
//! unless `VERDICT_TEST_REQUIRE` has `faketime` in it.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use verdict::api::grpc::proto::{CheckRequest, Credential, Effect};

use crate::{
    forge::{KEYS, now, token},
    support::{ALWAYS, Ask as _, Folder, Serve, Server, codes, eventually, run, to, verdict},
};

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|folder| folder.path());
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())
}

fn rig() -> Folder {
    let folder = Folder::empty();
    folder.write("policies/always.rego", "package always\n\ndecision := true\n");
    folder.write("jwks.json", &KEYS.set("", "sig").to_string());
    folder.write("offset", "+0");
    let path = folder.path().to_str().unwrap().to_owned();
    folder.write(
        "verdict.yaml",
        &format!(
            "identity:
  issuers:
    main: {{issuer: 'https://issuer.example', jwks_file: {path}/jwks.json, algorithms: [ES256], audience: [api]}}
revocation: {{store: {path}/revoked.redb}}
decision_log: {{sinks: {{file: {{type: file, path: {path}/decisions.jsonl}}}}}}
"
        ),
    );
    folder
}

async fn serve(folder: &Folder, library: &std::path::Path) -> Server {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let server = Serve::embedded()
        .arg("--policies")
        .arg(at("policies"))
        .arg("--config")
        .arg(at("verdict.yaml"))
        .env("VERDICT_ADMIN_ADDRESS", &format!("unix:{}", at("admin/admin.sock")))
        .env("LD_PRELOAD", library.to_str().unwrap())
        .env("FAKETIME_TIMESTAMP_FILE", &at("offset"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_RESET", "1")
        .ready()
        .await;
    server.logged("the issuer's keys were fetched").await;
    server
}

/// Sets the clock of the server, as a whole.
fn set(folder: &Folder, offset: &str) {
    folder.write("offset.new", offset);
    fs::rename(folder.join("offset.new"), folder.join("offset")).unwrap();
}

/// What a question with that token is answered: `allow`, or the codes of the deny.
async fn asked(server: &Server, token: &str) -> String {
    let credential = Credential { token: token.to_owned(), proof: None };
    let question = CheckRequest { credential: Some(credential), subject: None, ..to(ALWAYS) };
    let verdict = server.ask(question).await;
    if verdict.effect() == Effect::Allow { "allow".to_owned() } else { codes(&verdict).join(" ") }
}

#[tokio::test]
async fn whoever_sets_the_clock_nothing_is_allowed_that_was_not() {
    let Some(library) = library() else {
        let required = std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.contains("faketime"));
        assert!(!required, "VERDICT_TEST_REQUIRE asks for faketime: there is no libfaketimeMT.so.1 below /usr/lib");
        println!("skipped: there is no libfaketimeMT.so.1 below /usr/lib");
        return;
    };
    let folder = rig();
    let server = serve(&folder, &library).await;
    let mut client = server.client().await;
    let of = |changes: serde_json::Value| token(&changes);
    let (good, revoked) = (of(json!({})), of(json!({"jti": "revoked"})));
    // A clock that is set back by an hour does not bring it back to life.
    let expired = of(json!({"iat": now() - 3_600, "exp": now() - 1_800}));
    let early = of(json!({"jti": "early", "nbf": now() + 1_800, "exp": now() + 2 * 3_600}));
    let long = of(json!({"jti": "long", "exp": now() + 3 * 3_600}));
    assert_eq!(asked(&server, &good).await, "allow");
    assert_eq!(asked(&server, &revoked).await, "allow");
    let socket = format!("unix:{}", folder.join("admin/admin.sock").display());
    let done = run(verdict().args(["revoke", "--jti", "revoked"]).env("VERDICT_ADMIN_ADDRESS", socket));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let mut ids = BTreeSet::new();
    let mut seen = Vec::new();
    for offset in ["+0", "+1h", "-1h", "+0", "+10y", "-10y", "+0"] {
        let began = Instant::now();
        set(&folder, offset);
        // The library looks at its file with each call; the server's clock is seen in its ids.
        for _ in 0..20 {
            let verdict = client.ask(to(ALWAYS)).await;
            assert_eq!(verdict.effect(), Effect::Allow, "decisions go on at {offset}");
            assert!(ids.insert(verdict.decision_id.clone()), "no id comes twice");
            assert_eq!(verdict.decision_id.as_bytes()[14], b'7');
        }
        let answers = [asked(&server, &good).await, asked(&server, &long).await];
        if began.elapsed() > Duration::from_secs(50) {
            println!("skipped: the machine is too busy, a clock that is set ahead for a minute is believed");
            return;
        }
        // Set back, it goes on as before. Set ahead, what ends by then has ended, and is good again once it is set right.
        let expected = match offset {
            "+1h" => ["token_expired", "allow"],
            "+10y" => ["token_expired", "token_expired"],
            _ => ["allow", "allow"],
        };
        assert_eq!(answers, expected, "{offset}");
        assert_ne!(asked(&server, &revoked).await, "allow", "what is revoked stays so at {offset}");
        assert_ne!(asked(&server, &expired).await, "allow", "what has expired stays so at {offset}");
        assert_ne!(asked(&server, &early).await, "allow", "what has not begun does not at {offset}");
        assert_eq!(server.readiness().await.0, 200, "{offset}");
        let told = server.metric("verdict_clock_offset_seconds").await.unwrap();
        let hours = match offset {
            "+1h" => 1.0,
            "-1h" => -1.0,
            "+10y" => 87_600.0,
            "-10y" => -87_600.0,
            _ => 0.0,
        };
        assert!((told / 3_600.0 - hours).abs() < 100.0_f64.min(hours.abs() * 0.1 + 0.01), "{offset}: {told}");
        // A reload, whose pause is on the monotonic clock.
        let rule = format!("# {}\npackage always\n\ndecision := true\n", seen.len());
        folder.write("policies/always.rego", &rule);
        seen.push(offset);
    }
    // Deadlines and pauses do not wait for the clock.
    let reloads = || server.lines().iter().filter(|line| line["message"] == "policies active").count();
    eventually("the policies are loaded again", async || (reloads() > 1).then_some(())).await;
    for line in server.lines() {
        assert!(!line.to_string().contains("panicked"), "{line}");
    }
    let many = ids.len();
    let recorded = eventually("all is recorded", async || {
        let text = fs::read_to_string(folder.join("decisions.jsonl")).ok()?;
        let recorded: Vec<serde_json::Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let found = recorded.iter().filter_map(|record| record["decision_id"].as_str()).filter(|id| ids.contains(*id));
        (found.count() == many).then_some(recorded.len())
    })
    .await;
    for said in ["the clock was set back", "the clock was set ahead"] {
        assert!(server.lines().iter().any(|line| line.to_string().contains(said)), "{said}");
    }
    println!("figure: {} settings of the clock, {recorded} decisions recorded, 0 panics, 0 wrong allows", seen.len());
}
