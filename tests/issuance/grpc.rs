//! `verdict.v1.IssuanceService` on the policies to start from.

use serde_json::json;
use verdict::api::grpc::proto::{Authentication, AuthorizeRequest, SenderBinding};

use crate::{
    rig::{EXCHANGE, actor, allowed, authorize, client, cuts, party, portal, reasons, seconds},
    support::{Folder, Serve, object},
};

#[tokio::test]
async fn a_person_signs_in() {
    let server = Serve::embedded().ready().await;
    let mut asked = portal(&["profile", "documents:read", "admin"]);
    asked.request_id = "mine".to_owned();
    let answer = authorize(&server, asked.clone()).await;
    assert!(allowed(&answer), "{answer:?}");
    assert_eq!(answer.granted_scopes, ["profile", "documents:read"]);
    assert_eq!(answer.audience, ["https://api.example.com"]);
    assert_eq!(seconds(&answer), 3_600);
    assert_eq!((answer.refused_scopes.len(), answer.refused_scopes[0].scope.as_str()), (1, "admin"));
    assert!(answer.error.is_empty() && answer.cuts.is_empty() && answer.claims.is_none());
    assert_eq!(answer.verdict.as_ref().unwrap().request_id, "mine");
    assert_eq!(answer.verdict.as_ref().unwrap().entry_point, "data.issuance.decision");

    asked.context = None;
    let answer = authorize(&server, asked.clone()).await;
    assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["pkce_missing"], "access_denied"));
    let answer = authorize(&server, portal(&["admin"])).await;
    assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["scope_not_granted"], "invalid_scope"));
    asked = portal(&["profile"]);
    asked.audience = vec!["https://evil.example.com".to_owned()];
    let answer = authorize(&server, asked).await;
    assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["audience_not_allowed"], "invalid_target"));
}

#[tokio::test]
async fn what_costs_money_needs_a_fresh_second_factor() {
    let server = Serve::embedded().ready().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let with = |acr: &str, auth_time| AuthorizeRequest {
        authentication: Some(Authentication { acr: acr.to_owned(), auth_time, ..Authentication::default() }),
        ..portal(&["payments:write"])
    };
    let mfa = "urn:example:acr:mfa";
    for asked in [portal(&["payments:write"]), with("pwd", now), with(mfa, 0), with(mfa, now - 600)] {
        let answer = authorize(&server, asked).await;
        assert_eq!(
            (reasons(&answer), answer.error.as_str()),
            (vec!["step_up_required"], "insufficient_user_authentication")
        );
        let step_up = answer.verdict.unwrap().step_up.unwrap();
        assert_eq!((step_up.acr_values, step_up.max_age.unwrap().seconds), (vec![mfa.to_owned()], 300));
    }
    assert!(allowed(&authorize(&server, with(mfa, now - 5)).await));
}

#[tokio::test]
async fn another_partys_application_needs_consent() {
    let server = Serve::embedded().ready().await;
    let mut asked = portal(&["profile"]);
    asked.client = Some(client("photo-print", "none"));
    let answer = authorize(&server, asked.clone()).await;
    assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["consent_required"], "consent_required"));
    assert_eq!(answer.consent_scopes, ["profile"]);
    asked.consented_scopes = vec!["profile".to_owned()];
    assert!(allowed(&authorize(&server, asked).await));
}

#[tokio::test]
async fn a_service_has_its_token_bound_to_its_key() {
    let server = Serve::embedded().ready().await;
    let mut asked = AuthorizeRequest {
        grant_type: "client_credentials".to_owned(),
        client: Some(client("billing-service", "private_key_jwt")),
        subject: Some(party("client", "billing-service", json!({}))),
        scopes: vec!["invoices:read".to_owned()],
        resource: vec!["https://billing.example.com".to_owned()],
        ..AuthorizeRequest::default()
    };
    let answer = authorize(&server, asked.clone()).await;
    assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["sender_binding_required"], "invalid_request"));
    assert_eq!(answer.sender_binding, ["dpop", "mtls"]);
    asked.binding =
        Some(SenderBinding { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned(), ..Default::default() });
    let answer = authorize(&server, asked.clone()).await;
    assert!(allowed(&answer) && seconds(&answer) == 900, "{answer:?}");
    asked.client = Some(client("billing-service", "client_secret_basic"));
    assert_eq!(reasons(&authorize(&server, asked).await), ["authentication_too_weak"]);
}

#[tokio::test]
async fn an_agent_gets_what_its_user_and_it_may_do() {
    let server = Serve::embedded().ready().await;
    let exchange = |user: &str, scopes: &[&str], chain: &[&str]| AuthorizeRequest {
        grant_type: EXCHANGE.to_owned(),
        client: Some(client("support-bot", "private_key_jwt")),
        subject: Some(party("user", user, json!({}))),
        actor: actor(chain),
        context: None,
        ..portal(scopes)
    };
    // Alice may write documents, and the bot may write tickets; only what both may is granted.
    let asked = exchange("alice", &["tickets:read", "tickets:write", "documents:write"], &["support-bot"]);
    let answer = authorize(&server, asked.clone()).await;
    assert!(allowed(&answer), "{answer:?}");
    assert_eq!((answer.granted_scopes, answer.refused_scopes.len()), (vec!["tickets:read".to_owned()], 2));
    let answer = authorize(&server, exchange("alice", &["tickets:write"], &["support-bot"])).await;
    assert_eq!(answer.error, "invalid_scope");
    let answer = authorize(&server, exchange("bob", &["documents:read"], &["support-bot"])).await;
    assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["not_delegated"], "invalid_request"));

    let chain = ["support-bot", "planner", "support-bot"];
    assert!(allowed(&authorize(&server, exchange("alice", &["tickets:read"], &chain)).await));
    let long = ["support-bot", "planner", "support-bot", "planner"];
    let answer = authorize(&server, exchange("alice", &["tickets:read"], &long)).await;
    assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["actor_chain_too_deep"], "invalid_request"));
    let answer = authorize(&server, exchange("alice", &["tickets:read"], &["support-bot", "stranger"])).await;
    assert!(reasons(&answer).contains(&"unknown_actor"));
    // Who names no actor exchanges for itself: the client is asked about, as such.
    assert!(allowed(&authorize(&server, exchange("alice", &["tickets:read"], &[])).await));
    let mut other = exchange("alice", &["profile"], &[]);
    other.client = Some(client("web-portal", "private_key_jwt"));
    assert!(reasons(&authorize(&server, other).await).contains(&"grant_not_allowed"));
    let mut refresh = asked;
    refresh.requested_token_type = "urn:ietf:params:oauth:token-type:refresh_token".to_owned();
    assert!(reasons(&authorize(&server, refresh).await).contains(&"token_kind_not_allowed"));
}

#[tokio::test]
async fn a_build_is_bound_to_branch_and_environment() {
    let server = Serve::embedded().ready().await;
    let build = |environment: &str, reference: &str| AuthorizeRequest {
        grant_type: "client_credentials".to_owned(),
        client: Some(client("ci-runners", "private_key_jwt")),
        subject: Some(party(
            "workload",
            "spiffe://ci.example.com/shop",
            json!({"repository": "example/shop", "environment": environment, "ref": reference}),
        )),
        scopes: ["deploy:production", "deploy:staging"].map(str::to_owned).to_vec(),
        audience: vec!["https://deploy.example.com".to_owned()],
        ..AuthorizeRequest::default()
    };
    let answer = authorize(&server, build("production", "refs/heads/main")).await;
    assert_eq!(answer.granted_scopes, ["deploy:production"]);
    assert_eq!(authorize(&server, build("staging", "refs/heads/main")).await.granted_scopes, ["deploy:staging"]);
    for (environment, reference) in [("production", "refs/heads/feature"), ("production", "refs/pull/1/merge")] {
        assert_eq!(reasons(&authorize(&server, build(environment, reference)).await), ["job_not_allowed"]);
    }
}

#[tokio::test]
async fn a_tool_token_has_the_tools_that_the_agent_may_call() {
    let server = Serve::embedded().ready().await;
    let asked = AuthorizeRequest {
        grant_type: EXCHANGE.to_owned(),
        client: Some(client("assistant", "private_key_jwt")),
        actor: actor(&["assistant"]),
        resource: vec!["https://mcp.example.com/files".to_owned()],
        audience: Vec::new(),
        authorization_details: vec![object(json!({"type": "mcp_tool", "actions": ["read_file", "delete_file"]}))],
        context: None,
        ..portal(&["tools:call"])
    };
    let answer = authorize(&server, asked.clone()).await;
    assert!(allowed(&answer), "{answer:?}");
    let left = json!({"type": "mcp_tool", "actions": ["read_file"], "locations": ["https://mcp.example.com/files"]});
    assert_eq!(answer.authorization_details, [object(left)]);
    let mut other = asked;
    other.authorization_details = vec![object(json!({"type": "mcp_tool", "actions": ["delete_file"]}))];
    assert!(reasons(&authorize(&server, other).await).contains(&"no_tool_granted"));
}

#[tokio::test]
async fn ceilings_and_the_entry_point_are_configured() {
    let folder = Folder::always(&[(
        "tokens.rego",
        "package tokens\n\ndecision := {\"allow\": true, \"context\": {\"issuance\": {\n\
         \"scopes\": input.resource.properties.scopes, \"audience\": input.resource.properties.audience,\n\
         \"token_lifetime\": 1000000}}}\n",
    )]);
    let server = Serve::folder(&folder)
        .env("VERDICT_ISSUANCE_POLICY", "data.tokens")
        .env("VERDICT_ISSUANCE_MAX_LIFETIME", "2h")
        .env("VERDICT_ISSUANCE_AGENT_MAX_LIFETIME", "1m")
        .env("VERDICT_ISSUANCE_AGENT_SCOPES", "read")
        .env("VERDICT_ISSUANCE_WORKLOAD_AUDIENCE", "none")
        .env("VERDICT_ISSUANCE_MAX_ACTOR_DEPTH", "1")
        .ready()
        .await;
    let answer = authorize(&server, portal(&["read", "write"])).await;
    assert_eq!(seconds(&answer), 7_200);
    assert_eq!(cuts(&answer), [("lifetime", "1000000", "server_ceiling")]);
    let mut agent = portal(&["read", "write"]);
    agent.actor = actor(&["bot"]);
    let answer = authorize(&server, agent.clone()).await;
    assert_eq!((seconds(&answer), answer.granted_scopes.join(" ")), (60, "read".to_owned()));
    assert_eq!(cuts(&answer), [("scope", "write", "agent_ceiling"), ("lifetime", "1000000", "agent_ceiling")]);
    agent.actor = actor(&["bot", "bot"]);
    assert_eq!(reasons(&authorize(&server, agent).await), ["actor_chain_too_deep"]);
    let mut workload = portal(&["read"]);
    workload.subject = Some(party("workload", "spiffe://x", json!({})));
    let answer = authorize(&server, workload).await;
    assert_eq!((answer.error.as_str(), reasons(&answer)), ("invalid_target", vec!["no_audience_granted"]));
}

#[tokio::test]
async fn without_a_policy_of_issuance_there_is_no_token() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let answer = authorize(&server, portal(&["read"])).await;
    assert_eq!((reasons(&answer), answer.error.as_str()), (vec!["no_decision"], "access_denied"));
}

#[tokio::test]
async fn each_request_is_one_record_with_what_was_answered() {
    let folder = Folder::empty();
    let log = folder.join("log.jsonl");
    folder
        .write("verdict.yaml", &format!("decision_log: {{sinks: {{all: {{type: file, path: {}}}}}}}\n", log.display()));
    let config = folder.join("verdict.yaml");
    let mut server = Serve::embedded().arg("--config").arg(config.to_str().unwrap()).ready().await;
    let mut asked = portal(&["profile", "admin"]);
    asked.request_id = "mine".to_owned();
    let answer = authorize(&server, asked).await;
    server.signal("TERM");
    server.ended().await;
    let text = std::fs::read_to_string(log).unwrap();
    let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [record] = records.as_slice() else { panic!("{records:#?}") };
    assert_eq!(
        (&record["door"], &record["effect"], &record["request_id"]),
        (&json!("issuance"), &json!("allow"), &json!("mine"))
    );
    assert_eq!(record["decision_id"], answer.verdict.unwrap().decision_id);
    assert_eq!(record["input"]["action"]["name"], "issue:access_token:authorization_code");
    let issuance = &record["result"]["context"]["issuance"];
    assert_eq!((&issuance["scopes"], &issuance["token_lifetime"]), (&json!(["profile"]), &json!(3_600)), "{record:#}");
}
