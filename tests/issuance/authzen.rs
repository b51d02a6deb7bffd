//! AuthZEN's token-issuance profile: the draft's own examples, and what goes beyond.

use serde_json::{Value as Json, json};

use crate::{
    client::{EVALUATION, EVALUATIONS, post},
    rig::{EXCHANGE, actor, authorize, client, echo, party, portal},
    support::{Folder, Serve, Server},
};

const API: &str = "https://api.example.com";

/// A batch of gates and scopes at one target.
fn batch(subject: &Json, gate: &str, scopes: &[&str], context: &Json) -> Json {
    let names = std::iter::once(gate).chain(scopes.iter().copied());
    let items: Vec<Json> = names.map(|name| json!({"action": {"name": name}})).collect();
    json!({"subject": subject, "resource": {"type": "audience", "id": API}, "context": context,
           "evaluations": items, "options": {"evaluations_semantic": "execute_all"}})
}

fn decisions(answer: &Json) -> Vec<bool> {
    answer["evaluations"].as_array().unwrap().iter().map(|item| item["decision"].as_bool().unwrap()).collect()
}

async fn ask(server: &Server, body: &Json) -> Json {
    post(server, EVALUATIONS, body).await.ok()
}

const CODE: &str = "issue:access_token:authorization_code";

fn alice() -> Json {
    json!({"type": "user", "id": "alice"})
}

#[tokio::test]
async fn scopes_are_narrowed_behind_a_gate() {
    let server = Serve::embedded().ready().await;
    let context = json!({"client_id": "web-portal", "code_challenge_method": "S256"});
    let answer = ask(&server, &batch(&alice(), CODE, &["profile", "admin", "documents:read"], &context)).await;
    assert_eq!(decisions(&answer), [true, true, false, true]);
    let items = &answer["evaluations"];
    assert_eq!(items[0]["context"]["issuance"], json!({"token_lifetime": 3600}));
    assert_eq!(items[1], json!({"decision": true}));
    assert!(items[2]["context"]["reason_admin"]["not_granted"].is_string(), "{answer}");
    assert!(items[2]["context"].get("issuance").is_none());

    // As gRPC has it.
    let other = authorize(&server, portal(&["profile", "admin", "documents:read"])).await;
    assert_eq!(other.granted_scopes, ["profile", "documents:read"]);

    let denied = ask(&server, &batch(&alice(), CODE, &["profile"], &json!({"client_id": "web-portal"}))).await;
    assert_eq!(decisions(&denied), [false, false]);
    assert_eq!(denied["evaluations"][0]["context"]["oauth_error"], "access_denied");
    assert!(denied["evaluations"][0]["context"]["reason_admin"]["pkce_missing"].is_string());
    assert!(denied["evaluations"][0]["context"].get("issuance").is_none());
}

#[tokio::test]
async fn a_gate_alone_grants_no_scope() {
    let (_folder, server) = echo().await;
    let granted = json!({"allow": true, "context": {"issuance": {"scopes": ["read", "admin"], "audience": [API], "token_lifetime": 900}}});
    let asked = json!({"subject": alice(), "action": {"name": CODE}, "resource": {"type": "audience", "id": API},
                       "context": {"answer": granted}});
    let answer = post(&server, EVALUATION, &asked).await.ok();
    assert_eq!(answer["decision"], true, "{answer}");
    assert_eq!(answer["context"]["issuance"], json!({"token_lifetime": 900, "granted_scope": ""}));
    assert_eq!(answer["context"]["issuance_cuts"].as_array().unwrap().len(), 2);
    // In a batch of one, too.
    let body = json!({"subject": alice(), "resource": {"type": "audience", "id": API}, "context": {"answer": granted},
                      "evaluations": [{"action": {"name": CODE}}]});
    assert_eq!(ask(&server, &body).await["evaluations"][0]["context"]["issuance"], answer["context"]["issuance"]);
}

#[tokio::test]
async fn both_parties_of_an_exchange_are_asked() {
    let server = Serve::embedded().ready().await;
    let gate = "issue:access_token:token_exchange";
    let bot = json!({"type": "agent", "id": "support-bot"});
    let of = |user: &str, scopes: &[&str], chain: Option<Json>| {
        let user = json!({"type": "user", "id": user});
        let mut items =
            vec![json!({"subject": user, "action": {"name": gate}}), json!({"subject": bot, "action": {"name": gate}})];
        items.extend(scopes.iter().map(|scope| {
            json!({"subject": user, "action": {"name": scope}, "resource": {"type": "protected_resource", "id": API}})
        }));
        let mut context = json!({"client_id": "support-bot"});
        if let Some(chain) = chain {
            context["act"] = chain;
        }
        json!({"resource": {"type": "audience", "id": API}, "context": context, "evaluations": items,
               "options": {"evaluations_semantic": "execute_all"}})
    };
    let answer = ask(&server, &of("alice", &["tickets:read", "tickets:write"], None)).await;
    assert_eq!(decisions(&answer), [true, true, true, false], "{answer}");
    assert_eq!(answer["evaluations"][0]["context"]["issuance"], json!({"token_lifetime": 600}));
    assert!(answer["evaluations"][1]["context"].get("issuance").is_none());
    assert_eq!(decisions(&ask(&server, &of("bob", &["documents:read"], None)).await), [false, false, false]);
    // As gRPC has it.
    let mut other = portal(&["tickets:read", "tickets:write"]);
    other.grant_type = EXCHANGE.to_owned();
    other.client = Some(client("support-bot", ""));
    other.subject = Some(party("user", "alice", json!({})));
    (other.actor, other.context) = (actor(&["support-bot"]), None);
    assert_eq!(authorize(&server, other).await.granted_scopes, ["tickets:read"]);

    let chain = json!({"sub": "planner", "act": {"sub": "support-bot"}});
    assert_eq!(decisions(&ask(&server, &of("alice", &["tickets:read"], Some(chain))).await), [true, true, true]);
    let long = json!({"sub": "planner", "act": {"sub": "planner", "act": {"sub": "planner"}}});
    let answer = ask(&server, &of("alice", &["tickets:read"], Some(long))).await;
    assert_eq!(decisions(&answer), [false, false, false]);
    assert!(answer["evaluations"][0]["context"]["reason_admin"]["actor_chain_too_deep"].is_string());
}

#[tokio::test]
async fn a_denied_target_is_removed_and_a_scope_is_everywhere_or_nowhere() {
    let (_folder, server) = echo().await;
    let other = "https://other.example.com";
    let granted = json!({"allow": true, "context": {"issuance": {"scopes": ["read"], "audience": [other], "claims": {"team": "a", "sub": "root"}}}});
    let at =
        |name: &str, target: &str| json!({"action": {"name": name}, "resource": {"type": "audience", "id": target}});
    let items = [at(CODE, API), at(CODE, other), at("read", API), at("read", other), at("write", other)];
    let body = json!({"subject": alice(), "context": {"answer": granted}, "evaluations": items});
    let answer = ask(&server, &body).await;
    assert_eq!(decisions(&answer), [false, true, false, true, false], "{answer}");
    // What shapes the token stands at the gate that is permitted.
    assert_eq!(answer["evaluations"][1]["context"]["issuance"]["claims"], json!({"team": "a"}), "{answer}");
    assert!(answer["evaluations"][1]["context"]["issuance"]["token_lifetime"].is_u64(), "{answer}");
}

#[tokio::test]
async fn gates_of_one_name_say_the_same_of_the_request() {
    let (_folder, server) = echo().await;
    let granted = json!({"allow": true, "context": {"issuance": {"audience": [API]}}});
    let gate = |more: &Json| {
        let mut gate = json!({"action": {"name": CODE}, "resource": {"type": "audience", "id": API}});
        gate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        gate
    };
    let context = json!({"answer": granted, "client_id": "a"});
    let other = json!({"answer": granted, "client_id": "b"});
    let person = json!({"type": "user", "id": "alice", "properties": {"acr": "high"}});
    for (more, field) in [(json!({"context": other}), "context"), (json!({"subject": person}), "subject.properties")] {
        let body = json!({"subject": alice(), "context": context, "evaluations": [gate(&json!({})), gate(&more)]});
        let refused = post(&server, EVALUATIONS, &body).await;
        assert!(refused.refused(400).contains(field), "{more}");
    }
}

#[tokio::test]
async fn the_client_of_an_exchange_is_asked_whoever_acted_before() {
    let folder = Folder::always(&[(
        "issuance.rego",
        "package issuance\n\ndecision := {\"allow\": true, \"context\": {\"issuance\": {\"audience\": \
         input.resource.properties.audience}}} if input.subject.id in {\"alice\", \"support-bot\"}\n",
    )]);
    let server = Serve::folder(&folder).ready().await;
    for (client, allowed) in [("evil", false), ("support-bot", true)] {
        let context = json!({"client_id": client, "act": {"sub": "support-bot"}});
        let answer = ask(&server, &batch(&alice(), "issue:access_token:token_exchange", &[], &context)).await;
        assert_eq!(decisions(&answer), [allowed], "{answer}");
    }
}

#[tokio::test]
async fn cells_of_details_are_granted_one_by_one() {
    let folder = Folder::always(&[(
        "issuance.rego",
        "package issuance\n\ndecision := {\"allow\": true, \"context\": {\"issuance\": {\n\
         \"audience\": input.resource.properties.audience, \"authorization_details\": [entry |\n\
         some entry in input.resource.properties.authorization_details\n\
         not residency(entry)]}}}\n\n\
         residency(entry) if {\n\t\"https://eu.example.com/customers\" in entry.locations\n\t\"photos\" in entry.datatypes\n}\n",
    )]);
    let server = Serve::folder(&folder).ready().await;
    // The draft's "Authorization Details Across Two Targets".
    let (here, there) = ("https://example.com/customers", "https://eu.example.com/customers");
    let gate = |target: &str| json!({"action": {"name": CODE}, "resource": {"type": "audience", "id": target}});
    let cell = |action: &str, location: &str| json!({"action": {"name": action}, "resource": {"type": "customer_information", "id": location}});
    let items = [
        gate(here),
        gate(there),
        cell("read:contacts", here),
        cell("read:photos", here),
        cell("read:contacts", there),
        cell("read:photos", there),
    ];
    let body = json!({"subject": {"type": "user", "id": "U0405936"}, "context": {"client_id": "chatterbox"},
                      "evaluations": items, "options": {"evaluations_semantic": "execute_all"}});
    let answer = ask(&server, &body).await;
    assert_eq!(decisions(&answer), [true, true, true, true, true, false], "{answer}");
    // The cells say it all.
    assert!(answer["evaluations"][0]["context"]["issuance"].get("authorization_details").is_none(), "{answer}");
}

#[tokio::test]
async fn what_one_token_of_a_batch_may_not_have_is_in_no_envelope() {
    let folder = Folder::always(&[(
        "issuance.rego",
        "package issuance\n\ndecision := {\"allow\": true, \"context\": {\"issuance\": {\n\
         \"audience\": input.resource.properties.audience, \"authorization_details\": [entry |\n\
         some entry in input.resource.properties.authorization_details\n\
         may(entry)]}}}\n\n\
         may(entry) if entry.actions == [\"read\"]\n\nmay(entry) if input.resource.id == \"access_token\"\n",
    )]);
    let server = Serve::folder(&folder).ready().await;
    let gate = |name: &str| json!({"action": {"name": name}, "resource": {"type": "audience", "id": API}});
    let cell = |action: &str| json!({"action": {"name": action}, "resource": {"type": "files", "id": API}});
    let items = [gate(CODE), gate("issue:refresh_token:authorization_code"), cell("read"), cell("write")];
    let body = json!({"subject": alice(), "evaluations": items, "options": {"evaluations_semantic": "execute_all"}});
    let answer = ask(&server, &body).await;
    assert_eq!(decisions(&answer), [true, true, true, false], "{answer}");
    let details = |at: usize| answer["evaluations"][at]["context"]["issuance"]["authorization_details"].clone();
    let read = json!([{"type": "files", "locations": [API], "actions": ["read"]}]);
    assert_eq!(details(0), read, "{answer}");
    assert_eq!(details(1), json!(null), "{answer}");
}

#[tokio::test]
async fn every_name_of_a_gate_gets_a_decision() {
    let server = Serve::embedded().ready().await;
    for token in ["access_token", "refresh_token", "id_token", "txn_token", "id_jag", "other"] {
        for grant in [
            "authorization_code",
            "client_credentials",
            "refresh_token",
            "token_exchange",
            "device_code",
            "jwt_bearer",
            "saml2_bearer",
            "new_one",
        ] {
            let name = format!("issue:{token}:{grant}");
            let asked =
                json!({"subject": alice(), "action": {"name": name}, "resource": {"type": "audience", "id": API}});
            assert!(!post(&server, EVALUATION, &asked).await.decision(), "{name}: no scope is asked for");
            assert_eq!(decisions(&ask(&server, &batch(&alice(), &name, &["profile"], &json!({}))).await).len(), 2);
        }
    }
}

#[tokio::test]
async fn what_is_no_tuple_of_the_batch_is_denied_alone() {
    let server = Serve::embedded().ready().await;
    let context = json!({"client_id": "web-portal", "code_challenge_method": "S256"});
    let mut body = batch(&alice(), CODE, &["profile"], &context);
    let items = body["evaluations"].as_array_mut().unwrap();
    items.push(json!("nothing"));
    items.push(json!({"action": {"name": "issue:access_token"}}));
    items.push(json!({"action": {"name": "profile"}, "subject": {"type": "user", "id": "bob"}}));
    items.push(json!({"action": {"name": "profile"}, "resource": {"type": "audience", "id": "https://elsewhere"}}));
    items.push(json!({"action": {}}));
    let answer = ask(&server, &body).await;
    assert_eq!(decisions(&answer), [true, true, false, false, false, false, false], "{answer}");
    for item in &answer["evaluations"].as_array().unwrap()[2..] {
        assert!(item["context"]["reason_admin"]["invalid_query"].is_string(), "{item}");
    }
    body["options"]["evaluations_semantic"] = json!("deny_on_first_deny");
    assert_eq!(decisions(&ask(&server, &body).await), [true, true, false]);
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_refused() {
    let server = Serve::embedded().ready().await;
    for (field, context) in [
        ("context.client_id", json!({"client_id": 1})),
        ("context.acr", json!({"acr": []})),
        ("context.amr", json!({"amr": "pwd"})),
        ("context.auth_time", json!({"auth_time": "now"})),
        ("context.cnf", json!({"cnf": "x"})),
        ("context.cnf.jkt", json!({"cnf": {"jkt": 1}})),
        ("context.act", json!({"act": "bot"})),
        ("context.act", json!({"act": {"sub": "a", "act": {}}})),
        ("context.actor", json!({"actor": {"id": "root"}})),
        ("context.party", json!({"party": "subject"})),
    ] {
        let answer = post(&server, EVALUATIONS, &batch(&alice(), CODE, &["profile"], &context)).await;
        assert!(answer.refused(400).contains(field), "{answer:?}");
    }
    let mut three = batch(&alice(), CODE, &[], &json!({}));
    for id in ["a", "b"] {
        three["evaluations"]
            .as_array_mut()
            .unwrap()
            .push(json!({"action": {"name": CODE}, "subject": {"type": "client", "id": id}}));
    }
    assert!(post(&server, EVALUATIONS, &three).await.refused(400).contains("two parties"));
}

#[tokio::test]
async fn a_batch_without_a_gate_is_an_ordinary_one() {
    let server = Serve::embedded().ready().await;
    let body = json!({"subject": alice(), "resource": {"type": "document", "id": "handbook"},
                      "evaluations": [{"action": {"name": "read"}}, {"action": {"name": "issue:access_token:x"}}]});
    assert_eq!(decisions(&ask(&server, &body).await), [true, false]);
    let metadata = crate::client::send(&server, "GET", "/.well-known/authzen-configuration", &[], b"").await.ok();
    assert_eq!(metadata["capabilities"], json!(["urn:openid:authzen:capability:token-issuance"]));
}
