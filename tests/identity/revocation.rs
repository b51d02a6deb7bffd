//! Revocation at a running server: from `verdict revoke` to the deny, and across a `kill -9`.

use std::{fs, process::Command};

use serde_json::{Value as Json, json};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use verdict::api::grpc::proto::{
    Effect, ListRevocationsRequest, NewRevocation, RevocationTarget, RevokeRequest, UnrevokeRequest,
    revocation_service_client::RevocationServiceClient, revocation_target::Which,
};

use crate::{
    forge::{now, token},
    rig::{MAIN, Rig, bearer},
    support::{Ended, Serve, Server, assert_denied, assert_refused, run, verdict},
};

/// More of the configuration: where revocations are kept.
pub(crate) const STORE: &str = "revocation:\n  store: DIR/revoked.redb\n";

impl Rig {
    /// The operators' socket of [`Self::operated`].
    pub(crate) fn socket(&self) -> String {
        format!("unix:{}", self.0.join("admin/admin.sock").display())
    }

    /// With an operators' socket.
    pub(crate) fn operated(&self) -> Serve {
        self.serve().env("VERDICT_ADMIN_ADDRESS", &self.socket())
    }

    pub(crate) async fn serving(&self) -> Server {
        let server = self.operated().ready().await;
        server.logged("the issuer's keys were fetched").await;
        server
    }

    pub(crate) fn revoke(&self, arguments: &[&str]) -> Ended {
        run(self.command().args(arguments))
    }

    fn command(&self) -> Command {
        let mut command = verdict();
        command.arg("revoke").env("VERDICT_ADMIN_ADDRESS", self.socket()).env("USER", "olga");
        command
    }

    /// A client of the operators' socket.
    pub(crate) async fn revocations(&self) -> RevocationServiceClient<Channel> {
        let path = self.socket().replacen("unix:", "unix://", 1);
        RevocationServiceClient::new(Endpoint::from_shared(path).unwrap().connect().await.unwrap())
    }
}

fn done(ended: &Ended) -> Json {
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

async fn allows(server: &Server, claims: Json) -> bool {
    let verdict = server.ask(bearer(&token(&claims))).await;
    if verdict.effect() == Effect::Deny {
        assert_denied(&verdict, "token_revoked");
    }
    verdict.effect() == Effect::Allow
}

#[tokio::test]
async fn what_is_revoked_is_denied_at_once_and_after_a_kill() {
    let rig = Rig::new(MAIN, STORE);
    let server = rig.serving().await;
    let before = now() - 100;
    let cases = [
        (vec!["--jti", "j"], json!({"jti": "j"}), json!({"jti": "other"})),
        (vec!["--session", "s"], json!({"sid": "s"}), json!({"sid": "other"})),
        (vec!["--subject", "bob"], json!({"sub": "bob"}), json!({"sub": "carol"})),
        (vec!["--client", "agent"], json!({"client_id": "agent"}), json!({"client_id": "other"})),
        (vec!["--client", "party"], json!({"azp": "party"}), json!({"azp": "other"})),
        (
            vec!["--actor", "helper"],
            json!({"act": {"sub": "front", "act": {"sub": "helper"}}}),
            json!({"act": {"sub": "front"}}),
        ),
        (vec!["--identifier", "email:Dan@Example.com"], json!({"email": "dan@example.com"}), json!({"email": "x@y.z"})),
        (
            vec!["--subject", "eve", "--issued-before", "now"],
            json!({"sub": "eve", "iat": before}),
            json!({"sub": "eve", "iat": now() + 5}),
        ),
    ];
    for (arguments, revoked, good) in &cases {
        assert!(allows(&server, revoked.clone()).await, "{revoked}");
        let more = ["--reason", "lost", "--format", "json"];
        let shown = done(&rig.revoke(&[arguments, &more[..]].concat()));
        assert_eq!((&shown[0]["issuer"], &shown[0]["author"]), (&json!("https://issuer.example"), &json!("olga")));
        assert!(!allows(&server, revoked.clone()).await, "{revoked}");
        assert!(allows(&server, good.clone()).await, "{good}");
    }
    server.signal("KILL");
    drop(server);
    let server = rig.serving().await;
    for (_, revoked, good) in &cases {
        assert!(!allows(&server, revoked.clone()).await, "after a kill: {revoked}");
        assert!(allows(&server, good.clone()).await, "after a kill: {good}");
    }
    let listed = done(&rig.revoke(&["list", "--format", "json"]));
    assert_eq!(listed.as_array().unwrap().len(), cases.len());
    assert_eq!(server.metric("verdict_revocations{kind=\"client\"}").await, Some(2.0));

    // A token that is gone from the cache is asked about as one that is in it.
    let everything = rig.revoke(&["--issued-before", "now", "--issuer", "main", "--reason", "the key leaked"]);
    assert_eq!(everything.code, Some(0), "{}", everything.stderr);
    assert!(everything.stdout.contains("everything"), "{}", everything.stdout);
    assert!(!allows(&server, json!({"iat": before, "jti": "any"})).await);
    assert!(allows(&server, json!({"iat": now() + 5, "jti": "any"})).await);
}

#[tokio::test]
async fn a_revocation_ends_by_hand_or_by_time() {
    let rig = Rig::new(MAIN, STORE);
    let server = rig.serving().await;
    let shown = done(&rig.revoke(&["--jti", "j", "--format", "json"]));
    let id = shown[0]["id"].as_str().unwrap();
    assert!(!allows(&server, json!({"jti": "j"})).await);
    assert_eq!(rig.revoke(&["remove", id]).code, Some(0));
    assert!(allows(&server, json!({"jti": "j"})).await);
    // The first digits will do, if no other begins so.
    done(&rig.revoke(&["--jti", "j", "--format", "json"]));
    let short = rig.revoke(&["remove", &id[..6]]);
    assert!(short.code == Some(0) && short.stdout.starts_with(id), "{} {}", short.stdout, short.stderr);
    assert!(allows(&server, json!({"jti": "j"})).await);
    // What is revoked of one token begins alike: nothing ends where two are meant.
    done(&rig.revoke(&["--jti", "j", "--format", "json"]));
    done(&rig.revoke(&["--jti", "j", "--expires", "1h", "--format", "json"]));
    let both = rig.revoke(&["remove", &id[..32]]);
    assert!(both.code == Some(2) && both.stderr.contains("give more of it"), "{}", both.stderr);
    assert!(!allows(&server, json!({"jti": "j"})).await);
    for one in done(&rig.revoke(&["list", "--format", "json"])).as_array().unwrap() {
        assert_eq!(rig.revoke(&["remove", &one["id"].as_str().unwrap()[..40]]).code, Some(0));
    }
    assert_eq!(rig.revoke(&["remove", "0123456"]).code, Some(1));
    let again = rig.revoke(&["remove", id]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""));
    assert_eq!(rig.revoke(&["list"]).stdout, "nothing of that is revoked\n");
    done(&rig.revoke(&["--jti", "short", "--expires", "2s", "--format", "json"]));
    assert!(!allows(&server, json!({"jti": "short"})).await);
    crate::support::eventually("it is over", async || allows(&server, json!({"jti": "short"})).await.then_some(()))
        .await;
}

#[tokio::test]
async fn wrong_commands_change_nothing_and_are_explained() {
    let rig = Rig::new(MAIN, STORE);
    let server = rig.serving().await;
    for (arguments, code, said) in [
        (vec![], 64, "nothing is named"),
        (vec!["--jti", "j", "--issuer", "nobody"], 2, "is no configured issuer"),
        (vec!["--jti", ""], 2, "has an empty name"),
        (vec!["--identifier", "dan@example.com"], 2, "begins with `email:`"),
        (vec!["--jti", "j", "--expires", "2020-01-01T00:00:00Z"], 2, "is over already"),
        (vec!["--jti", "j", "--expires", "soon"], 64, "not a time"),
        (vec!["remove", "xyz"], 2, "no id of a revocation"),
        (vec!["remove", "012ab"], 2, "the first 6 will do"),
        (vec!["list", "--jti", "a", "--subject", "b"], 64, "one thing at most"),
    ] {
        let ended = rig.revoke(&arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
    }
    let mut client = rig.revocations().await;
    let everything = NewRevocation {
        target: Some(RevocationTarget { issuer: "main".to_owned(), which: Some(Which::Everything(true)) }),
        ..NewRevocation::default()
    };
    let request = RevokeRequest { revocations: vec![everything, NewRevocation::default()] };
    let refused = client.revoke(request).await.unwrap_err();
    let fields = assert_refused(&refused, Code::InvalidArgument, "INVALID_REQUEST");
    assert_eq!(fields, ["revocations[0].issued_before", "revocations[1].target"]);
    let refused = client.revoke(RevokeRequest::default()).await.unwrap_err();
    assert_refused(&refused, Code::InvalidArgument, "INVALID_REQUEST");
    let refused = client.unrevoke(UnrevokeRequest { ids: vec!["x".to_owned()] }).await.unwrap_err();
    assert_eq!(assert_refused(&refused, Code::InvalidArgument, "INVALID_REQUEST"), ["ids[0]"]);
    let request =
        ListRevocationsRequest { page_size: -1, page_token: "x".to_owned(), ..ListRevocationsRequest::default() };
    let refused = client.list_revocations(request).await.unwrap_err();
    assert_eq!(assert_refused(&refused, Code::InvalidArgument, "INVALID_REQUEST"), ["page_size", "page_token"]);
    assert!(allows(&server, json!({"jti": "j"})).await);
}

#[tokio::test]
async fn without_a_file_nothing_can_be_revoked() {
    let rig = Rig::new(MAIN, "");
    let server = rig.serving().await;
    let id = "0".repeat(48);
    for arguments in [&["--jti", "j"][..], &["list"], &["remove", &id], &["remove", "012abc"]] {
        let ended = rig.revoke(arguments);
        assert!(ended.code == Some(2) && ended.stderr.contains("REVOCATION_OFF"), "{}", ended.stderr);
        assert!(ended.stderr.contains("set `revocation.store`"), "{}", ended.stderr);
    }
    assert!(allows(&server, json!({"jti": "j"})).await);
}

#[tokio::test]
async fn who_can_t_revoke_hears_of_it_at_the_start() {
    // Where no socket can be had: another server has the one of this session.
    let (first, second) = (Rig::new(MAIN, STORE), Rig::new(MAIN, STORE));
    let session = first.0.path().to_str().unwrap();
    let unset = ["-u", "VERDICT_ADMIN_ADDRESS"];
    let by_default = |rig: &Rig| rig.serve().env("XDG_RUNTIME_DIR", session).within("env", &unset);
    let _first = by_default(&first).ready().await;
    let second = by_default(&second).ready().await;
    second.logged("`verdict revoke` can't reach this server").await;
}

#[tokio::test]
async fn a_damaged_file_keeps_the_server_from_starting() {
    let rig = Rig::new(MAIN, STORE);
    let server = rig.serving().await;
    done(&rig.revoke(&["--jti", "j", "--format", "json"]));
    server.signal("KILL");
    drop(server);
    let path = rig.0.join("revoked.redb");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    for byte in bad.iter_mut().skip(512) {
        *byte ^= 0x5a;
    }
    fs::write(&path, bad).unwrap();
    let ended = rig.serve().run();
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("are damaged") && ended.stderr.contains("restore the file"), "{}", ended.stderr);
    fs::write(&path, good).unwrap();
    let server = rig.serving().await;
    assert!(!allows(&server, json!({"jti": "j"})).await);
}
