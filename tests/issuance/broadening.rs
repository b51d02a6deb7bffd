//! Over random answers of a policy in Rego and random requests, through gRPC: the answer is never broader than the
//! request. `src/issuance/tests/broadening.rs` has more cases without the sockets.

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value as Json, json};
use verdict::api::grpc::proto::{AuthorizeRequest, AuthorizeResponse};

use crate::{
    rig::{EXCHANGE, actor, allowed, client, party, service},
    support::{Folder, Serve, Server, object},
};

const SCOPES: [&str; 5] = ["read", "write", "admin", "READ", "read write"];
const TARGETS: [&str; 4] = ["https://api", "https://other", "https://API", "https://api/"];
const CLAIMS: [&str; 8] = ["groups", "sub", "Sub", "SCOPE", "client-id", "\u{455}ub", "limit", "act"];
const CASES: u32 = 400;

/// Policies of Rego that answer all kinds of things, beside the one that answers what it is told.
const POLICIES: &str = r#"package issuance

# By what the request asks for.
decision := input.context.answer if input.context.rule == "echo"

decision := true if input.context.rule == "true"

decision := {"allow": true, "context": {"issuance": {
	"scopes": {scope | some scope in array.concat(input.resource.properties.scopes, ["admin", "root"])},
	"audience": array.concat(input.resource.properties.audience, ["https://evil"]),
	"token_lifetime": 1000000000,
	"authorization_details": [object.union(entry, {"actions": ["read", "admin"]}) |
		some entry in input.resource.properties.authorization_details
	],
	"claims": {"sub": "root", "groups": ["a"]},
}}} if {
	input.context.rule == "more"
}

decision := {"allow": true, "context": {"issuance": {
	"scopes": input.context.client.registered_scopes,
	"audience": ["https://api", "https://other"],
	"authorization_details": [json.remove(entry, ["actions", "locations"]) |
		some entry in input.resource.properties.authorization_details
	],
}}} if {
	input.context.rule == "registered"
}

decision := {"allow": input.context.party == "subject", "context": {"issuance": {"scopes": ["read"]}}} if {
	input.context.rule == "subject only"
}
"#;

fn texts(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    vec(select(of).prop_map(str::to_owned), 0..4)
}

fn details() -> impl Strategy<Value = Json> {
    let axis = || option::of(vec(select(&SCOPES[..]), 1..3));
    let locations = option::of(vec(select(&TARGETS[..]), 1..3));
    let entry = (select(&["files", "payment"][..]), axis(), locations, option::of(0..2_u8)).prop_map(
        |(kind, actions, locations, amount)| {
            let mut entry = json!({ "type": kind });
            for (name, value) in
                [("actions", json!(actions)), ("locations", json!(locations)), ("amount", json!(amount))]
            {
                if !value.is_null() {
                    entry[name] = value;
                }
            }
            entry
        },
    );
    vec(entry, 0..3).prop_map(Json::Array)
}

fn answer() -> impl Strategy<Value = Json> {
    let claims = vec((select(&CLAIMS[..]), any::<u8>()), 0..4);
    let formed = (texts(&SCOPES), texts(&TARGETS), option::of(0..10_000_000_u64), details(), claims).prop_map(
        |(scopes, audience, lifetime, details, claims)| {
            let claims: Map<String, Json> =
                claims.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            let mut granted =
                json!({"scopes": scopes, "audience": audience, "authorization_details": details, "claims": claims});
            if let Some(lifetime) = lifetime {
                granted["token_lifetime"] = json!(lifetime);
            }
            json!({"allow": true, "context": {"issuance": granted}})
        },
    );
    let odd = select(vec![json!(null), json!(true), json!(false), json!("x"), json!({"allow": 1}), json!([])]);
    prop_oneof![8 => formed, 1 => odd]
}

fn request() -> impl Strategy<Value = (AuthorizeRequest, Json)> {
    let kinds = select(&["user", "client", "workload", "agent"][..]);
    let grants = select(&["authorization_code", "client_credentials", EXCHANGE][..]);
    let rules = select(&["echo", "echo", "echo", "true", "more", "registered", "subject only", "none"][..]);
    let asked =
        (texts(&["read", "write"]), texts(&TARGETS), details(), option::of(1..100_000_i64), texts(&["read", "write"]));
    (kinds, grants, rules, asked, answer(), 0..5_usize).prop_map(
        |(kind, grant, rule, (scopes, audience, details, lifetime, registered), answer, depth)| {
            let mut client = client("app", "private_key_jwt");
            client.registered_scopes = registered;
            let entries = details.as_array().unwrap().iter().map(|entry| object(entry.clone())).collect();
            let request = AuthorizeRequest {
                grant_type: grant.to_owned(),
                client: Some(client),
                subject: Some(party(kind, "somebody", json!({}))),
                actor: actor(&vec!["bot"; depth]),
                scopes,
                audience,
                authorization_details: entries,
                requested_lifetime: lifetime.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
                context: Some(object(json!({"rule": rule, "answer": answer}))),
                ..AuthorizeRequest::default()
            };
            (request, details)
        },
    )
}

async fn server() -> (Folder, Server) {
    let folder = Folder::always(&[("issuance.rego", POLICIES)]);
    let server = Serve::folder(&folder).env("VERDICT_ISSUANCE_AGENT_SCOPES", "read").ready().await;
    (folder, server)
}

fn is_within(got: &Json, asked: &Json, audience: &[String]) -> bool {
    let axis = |name: &str| match (got[name].as_array(), asked[name].as_array()) {
        (Some(got), Some(asked)) => got.iter().all(|item| asked.contains(item)),
        (None, asked) => asked.is_none(),
        (Some(got), None) => name != "locations" || got.iter().all(|item| audience.iter().any(|one| item == one)),
    };
    got["type"] == asked["type"] && got["amount"] == asked["amount"] && axis("actions") && axis("locations")
}

fn assert_not_broader(request: &AuthorizeRequest, details: &Json, answer: &AuthorizeResponse) {
    if !allowed(answer) {
        assert!(answer.granted_scopes.is_empty() && answer.audience.is_empty() && answer.claims.is_none());
        assert!(answer.authorization_details.is_empty() && answer.lifetime_ceiling.is_none());
        assert!(!answer.error.is_empty() && !answer.verdict.as_ref().unwrap().reasons.is_empty());
        return;
    }
    let registered = &request.client.as_ref().unwrap().registered_scopes;
    let kind = request.subject.as_ref().unwrap().r#type.as_str();
    let agent = request.actor.is_some() || kind == "agent" || request.grant_type == EXCHANGE;
    assert!(answer.granted_scopes.iter().all(|scope| request.scopes.contains(scope)
        && (registered.is_empty() || registered.contains(scope))
        && (!agent || scope == "read")));
    assert!(answer.audience.iter().all(|target| request.audience.contains(target)));
    let lifetime = answer.lifetime_ceiling.as_ref().unwrap().seconds;
    assert!(lifetime >= 1 && request.requested_lifetime.as_ref().is_none_or(|asked| lifetime <= asked.seconds));
    assert!(
        lifetime
            <= if agent {
                900
            } else if kind == "user" {
                86_400
            } else {
                3_600
            }
    );
    for entry in &answer.authorization_details {
        let got: Json = serde_json::to_value(verdict::api::json::written_object(&entry.members)).unwrap();
        assert!(details.as_array().unwrap().iter().any(|asked| is_within(&got, asked, &request.audience)), "{got}");
    }
    for (name, _) in answer.claims.iter().flat_map(|claims| claims.members.iter()) {
        assert!(["groups", "limit"].contains(&name), "{name}");
    }
}

#[tokio::test]
async fn no_answer_is_broader_than_its_request() {
    let (_folder, server) = server().await;
    let mut service = service(&server).await;
    let mut runner = TestRunner::new(Config::default());
    let mut granted = 0;
    for _ in 0..CASES {
        let (request, details) = request().new_tree(&mut runner).unwrap().current();
        let answer = service
            .authorize(request.clone())
            .await
            .unwrap_or_else(|error| panic!("{error:?}\n{request:?}"))
            .into_inner();
        assert_not_broader(&request, &details, &answer);
        granted += u32::from(allowed(&answer));
    }
    assert!(granted > CASES / 20, "the cases are not all denies: {granted}");
}
