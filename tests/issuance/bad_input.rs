//! Policies that grant what they should not, and requests that are none.

use serde_json::{Value as Json, json};
use tonic::Code;
use verdict::api::grpc::proto::{AuthorizeRequest, IssuanceParty};

use crate::{
    rig::{actor, allowed, answered, authorize, client, cuts, echo, party, portal, reasons, refusal, seconds},
    support::{Serve, assert_invalid, assert_refused, object},
};

fn granting(issuance: &Json) -> Json {
    json!({"allow": true, "context": {"issuance": issuance}})
}

const API: &str = "https://api.example.com";

#[tokio::test]
async fn what_a_policy_grants_beyond_the_request_is_cut_and_said() {
    let (_folder, server) = echo().await;
    let answer = authorize(
        &server,
        answered(&granting(&json!({
            "scopes": ["read", "admin", "READ", "read write"],
            "audience": [API, "https://evil.example.com"],
            "token_lifetime": 9_000_000,
            "claims": {"groups": ["staff"]},
        }))),
    )
    .await;
    assert!(allowed(&answer), "{answer:?}");
    assert_eq!(
        (answer.granted_scopes.as_slice(), answer.audience.as_slice()),
        (&["read".to_owned()][..], &[API.to_owned()][..])
    );
    assert_eq!(seconds(&answer), 86_400);
    assert_eq!(answer.claims, Some(object(json!({"groups": ["staff"]}))));
    assert_eq!(
        cuts(&answer),
        [
            ("scope", "admin", "not_requested"),
            ("scope", "READ", "not_requested"),
            ("scope", "read write", "not_requested"),
            ("audience", "https://evil.example.com", "not_requested"),
            ("lifetime", "9000000", "server_ceiling"),
        ]
    );
    let mut short = answered(&granting(&json!({"scopes": ["read"], "audience": [API], "token_lifetime": 600})));
    short.requested_lifetime = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let answer = authorize(&server, short).await;
    assert_eq!((seconds(&answer), cuts(&answer)), (60, vec![("lifetime", "600", "not_requested")]));
}

#[tokio::test]
async fn reserved_claims_are_cut_in_any_spelling() {
    let (_folder, server) = echo().await;
    for name in verdict::issuance::RESERVED {
        let wide: String = name.chars().map(|letter| char::from_u32(u32::from(letter) + 0xfee0).unwrap()).collect();
        let camel = name.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect::<String>();
        for spelled in [
            name.to_owned(),
            name.to_uppercase(),
            camel,
            name.replace('_', "-"),
            format!("{name}\u{200d}"),
            format!(" {name}"),
            name.replace('a', "\u{430}").replace('e', "\u{435}").replace('s', "\u{455}").replace('i', "\u{456}")
                + "\u{200b}",
            wide,
        ] {
            let claims = json!({spelled.clone(): "root", "team": "a"});
            let granted = granting(&json!({"scopes": ["read"], "audience": [API], "claims": claims}));
            let answer = authorize(&server, answered(&granted)).await;
            assert!(allowed(&answer), "{answer:?}");
            assert_eq!(answer.claims, Some(object(json!({"team": "a"}))), "{spelled:?}");
            let [("claim", cut, "reserved_claim" | "lookalike_claim")] = cuts(&answer)[..] else {
                panic!("{answer:?}")
            };
            assert_eq!(cut, spelled);
            // What the permit depends on can't just be left out.
            let claims = json!({spelled.clone(): "root"});
            let granted =
                granting(&json!({"scopes": ["read"], "audience": [API], "claims": claims, "crit": [spelled]}));
            let answer = authorize(&server, answered(&granted)).await;
            assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["critical_claim_cut"], "server_error"));
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_understood_is_a_deny() {
    let (_folder, server) = echo().await;
    let good = json!({"scopes": ["read"], "audience": [API]});
    assert!(allowed(&authorize(&server, answered(&granting(&good))).await));
    for (name, value) in [
        ("scopes", json!("read")),
        ("scopes", json!(["read", 1])),
        ("scope", json!("read")),
        ("granted_scope", json!("read")),
        ("audience", json!(API)),
        ("token_lifetime", json!("60")),
        ("token_lifetime", json!(-1)),
        ("token_lifetime", json!(0.5)),
        ("lifetime", json!(60)),
        ("claims", json!(["a"])),
        ("crit", json!(["a"])),
        ("crit", json!("a")),
        ("authorization_details", json!({})),
        ("authorization_details", json!([{"actions": ["read"]}])),
        ("authorization_details", json!(["x"])),
        ("consent", json!(true)),
        ("approval", json!(true)),
        ("sender_binding", json!(["password"])),
        ("error", json!("made_up")),
        ("sub", json!("root")),
    ] {
        let mut odd = good.clone();
        odd[name] = value.clone();
        let answer = authorize(&server, answered(&granting(&odd))).await;
        assert_eq!(
            (reasons(&answer), answer.error.as_str()),
            (vec!["invalid_decision"], "server_error"),
            "{name} {value}"
        );
    }
    for odd in
        [json!("yes"), json!(1), json!([]), json!({}), json!({"allow": "true"}), json!({"allow": true, "context": 1})]
    {
        let answer = authorize(&server, answered(&odd)).await;
        assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["invalid_decision"], "server_error"));
    }
    for bare in [json!(true), json!({"allow": true}), granting(&json!({}))] {
        assert!(!allowed(&authorize(&server, answered(&bare)).await), "what is not named is not granted");
    }
    assert!(!allowed(
        &authorize(&server, answered(&granting(&json!({"scopes": ["read"], "audience": [API], "token_lifetime": 0}))))
            .await
    ));
    let odd = json!({"allow": true, "context": {"issuance": "all"}});
    assert_eq!(reasons(&authorize(&server, answered(&odd)).await), ["invalid_decision"]);
}

#[tokio::test]
async fn one_partys_deny_is_the_answer() {
    let (_folder, server) = echo().await;
    let good = granting(&json!({"scopes": ["read", "write"], "audience": [API]}));
    let both = |subject: &Json, acting: Option<&Json>| {
        let mut context = json!({ "answer": subject });
        if let Some(acting) = acting {
            context["actor_answer"] = acting.clone();
        }
        AuthorizeRequest { actor: actor(&["bot"]), context: Some(object(context)), ..portal(&["read", "write"]) }
    };
    assert!(allowed(&authorize(&server, both(&good, Some(&good))).await));
    for (subject, acting) in [
        (&good, None),
        (&good, Some(&json!(false))),
        (&good, Some(&json!("odd"))),
        (&json!(false), Some(&good)),
        (&granting(&json!({"scopes": 1})), Some(&good)),
    ] {
        assert!(!allowed(&authorize(&server, both(subject, acting)).await), "{subject} {acting:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_none_is_refused_with_every_fault() {
    let server = Serve::embedded().ready().await;
    let empty = AuthorizeRequest::default();
    assert_eq!(assert_invalid(&refusal(&server, empty).await), ["client", "subject"]);
    let nameless =
        AuthorizeRequest { client: Some(client("", "")), subject: Some(IssuanceParty::default()), ..portal(&[]) };
    assert_eq!(assert_invalid(&refusal(&server, nameless).await), ["client.id"]);
    let mut odd = portal(&["read", "a b", "\"", ""]);
    odd.grant_type = String::new();
    odd.subject = Some(party("", "", json!({})));
    odd.audience = vec![String::new()];
    odd.authorization_details =
        vec![object(json!({"actions": ["read"]})), object(json!({"type": "x", "actions": "read"}))];
    odd.requested_lifetime = Some(prost_types::Duration { seconds: 0, nanos: 5 });
    odd.context = Some(object(json!({"party": "subject", "client": {}, "actors": []})));
    odd.actor = Some(verdict::api::grpc::proto::Actor { party: Some(IssuanceParty::default()), actor: None });
    let fields = assert_invalid(&refusal(&server, odd).await);
    for field in [
        "grant_type",
        "subject.type",
        "subject.id",
        "actor",
        "scopes",
        "audience",
        "authorization_details[0]",
        "authorization_details[1]",
        "requested_lifetime",
        "context.party",
        "context.client",
        "context.actors",
    ] {
        assert!(fields.iter().any(|found| found == field), "{field}: {fields:?}");
    }
    for (field, asked) in [
        ("scopes", portal(&vec!["x"; 257])),
        (
            "audience",
            AuthorizeRequest {
                audience: vec!["x".to_owned(); 1],
                resource: (0..64).map(|n| n.to_string()).collect(),
                ..portal(&[])
            },
        ),
        (
            "authorization_details",
            AuthorizeRequest { authorization_details: vec![object(json!({"type": "x"})); 65], ..portal(&[]) },
        ),
        (
            "requested_lifetime",
            AuthorizeRequest {
                requested_lifetime: Some(prost_types::Duration { seconds: -5, nanos: 0 }),
                ..portal(&[])
            },
        ),
        ("request_id", AuthorizeRequest { request_id: "x".repeat(257), ..portal(&[]) }),
    ] {
        assert_eq!(assert_invalid(&refusal(&server, asked).await), [field]);
    }
    let large = AuthorizeRequest { request_id: "x".repeat(2 << 20), ..portal(&[]) };
    assert_refused(&refusal(&server, large).await, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    server.ask(crate::support::asking("user:alice", "read", "document:handbook")).await;
}

#[tokio::test]
async fn a_chain_of_any_length_gets_an_answer() {
    let server = Serve::embedded().ready().await;
    for length in [4, 16, 40] {
        let chain = vec!["support-bot"; length];
        let asked = AuthorizeRequest { actor: actor(&chain), ..portal(&["profile"]) };
        assert_eq!(reasons(&authorize(&server, asked).await), ["actor_chain_too_deep"], "{length}");
    }
    let endless = AuthorizeRequest { actor: actor(&vec!["support-bot"; 2_000]), ..portal(&["profile"]) };
    assert_eq!(refusal(&server, endless).await.code(), Code::InvalidArgument);
    assert!(allowed(&authorize(&server, portal(&["profile"])).await));
}
