# Tests of the token-issuance example, on the data beside it.
package issuance_test

import data.issuance

api := "https://api.example.com"

# A question: `over` replaces what it names, whole.
asked(client, method, subject, action, wanted, over) := object.union(
	{
		"subject": subject,
		"action": {"name": action},
		"resource": {
			"type": "token",
			"id": split(action, ":")[1],
			"properties": object.union({"authorization_details": []}, wanted),
		},
		"context": {
			"party": "subject",
			"client": {"id": client, "authentication_method": method},
			"consent": {"scopes": []},
		},
	},
	over,
)

alice := {"type": "user", "id": "alice", "properties": {}}

portal(scopes, over) := asked(
	"web-portal", "private_key_jwt", alice, "issue:access_token:authorization_code",
	{"scopes": scopes, "audience": [api]},
	object.union({"context": {"code_challenge_method": "S256"}}, over),
)

service(action, method, subject) := asked(
	"billing-service", method, subject, action,
	{"scopes": ["invoices:read"], "audience": ["https://billing.example.com"]}, {},
)

exchange(party, over) := asked(
	"support-bot", "private_key_jwt", party, "issue:access_token:token_exchange",
	{"scopes": ["tickets:read", "tickets:write", "documents:write"], "audience": [api]},
	object.union({"context": {"actor": bot, "actors": [bot]}}, over),
)

bot := {"type": "agent", "id": "support-bot", "properties": {}}

for_alice := {"context": {"party": "actor", "on_behalf_of": alice}}

build(repository, environment, ref) := asked(
	"ci-runners", "private_key_jwt",
	{"type": "workload", "id": "spiffe://ci/shop", "properties": {
		"repository": repository,
		"environment": environment,
		"ref": ref,
	}},
	"issue:access_token:client_credentials",
	{
		"scopes": ["packages:publish", "deploy:production", "deploy:staging"],
		"audience": ["https://deploy.example.com"],
	},
	{},
)

rotation(method) := asked(
	"key-rotator", method, {"type": "client", "id": "key-rotator", "properties": {}},
	"issue:access_token:client_credentials",
	{"scopes": ["secrets:rotate"], "audience": ["https://vault.example.com"]}, {},
)

partner(scopes) := asked(
	"acme-analytics", "private_key_jwt", {"type": "client", "id": "acme-analytics", "properties": {}},
	"issue:access_token:client_credentials",
	{"scopes": scopes, "audience": ["https://partners.example.com"]}, {},
)

tools(party, servers, actions, over) := asked(
	"assistant", "private_key_jwt", party, "issue:access_token:token_exchange",
	{
		"scopes": ["tools:call"],
		"audience": servers,
		"authorization_details": [{"type": "mcp_tool", "actions": actions}, {"type": "other"}],
	},
	object.union({"context": {"actor": assistant, "actors": [assistant]}}, over),
)

assistant := {"type": "agent", "id": "assistant", "properties": {}}

files := "https://mcp.example.com/files"

test_grants_what_client_and_user_have if {
	answer := issuance.decision with input as portal(["documents:read", "profile"], {})
	answer == {
		"allow": true,
		"reasons": {{
			"code": "token_allowed",
			"message": "client `web-portal` may have this token",
			"user_message": "You are signed in.",
		}},
		"context": {"issuance": {
			"scopes": ["documents:read", "profile"],
			"audience": [api],
			"token_lifetime": 3600,
			"refused_scopes": {},
		}},
	}
}

test_narrows_the_scopes if {
	answer := issuance.decision with input as portal(["profile", "admin", "documents:read"], {})
	answer.allow == true
	answer.context.issuance.scopes == ["documents:read", "profile"]
	codes(answer) == {"token_allowed", "scopes_narrowed"}
	answer.context.issuance.refused_scopes == {"admin": "neither the client nor the party has it"}
}

test_a_user_gets_no_more_than_the_user_has if {
	question := object.union(portal(["profile", "documents:write"], {}), {"subject": {"id": "bob"}})
	answer := issuance.decision with input as question
	answer.context.issuance.scopes == ["profile"]
	codes_of(object.union(question, {"subject": {"id": "stranger"}})) == {"scope_not_granted"}
}

test_denies_when_no_scope_is_granted if {
	codes_of(portal(["admin"], {})) == {"scope_not_granted"}
	codes_of(portal([], {})) == {"scope_not_granted"}
	codes_of(portal("profile", {})) == {"scope_not_granted"}
	answer := issuance.decision with input as portal(["admin"], {})
	answer.context.issuance.error == "invalid_scope"
}

test_denies_other_targets if {
	question := portal(["profile"], {"resource": {"properties": {"audience": ["https://mcp.example.com"]}}})
	codes_of(question) == {"audience_not_allowed"}
	answer := issuance.decision with input as question
	answer.context.issuance.error == "invalid_target"
	codes_of(portal(["profile"], {"resource": {"properties": {"audience": []}}})) == {"audience_not_allowed"}
}

test_denies_what_is_no_question_of_issuance if {
	"action_not_allowed" in codes_of(portal(["profile"], {"action": {"name": "read"}}))
	"action_not_allowed" in codes_of(portal(["profile"], {"resource": {"type": "document"}}))
	codes_of(portal(["profile"], {"action": {"name": "issue:access_token"}})) == {"grant_not_allowed"}
}

test_denies_an_unknown_client if {
	"unknown_client" in codes_of(portal(["profile"], {"context": {"client": {"id": "stranger"}}}))
	"unknown_client" in codes_of(json.remove(portal(["profile"], {}), ["context/client"]))
	"token_kind_not_allowed" in codes_of(json.remove(portal(["profile"], {}), ["resource/id"]))
}

# authorization code

test_a_code_has_to_be_bound_by_pkce if {
	every method in ["plain", "", null] {
		codes_of(portal(["profile"], {"context": {"code_challenge_method": method}})) == {"pkce_missing"}
	}
	refreshed := portal(["profile"], {
		"action": {"name": "issue:access_token:refresh_token"},
		"context": {"code_challenge_method": null},
	})
	codes_of(refreshed) == set()
}

test_an_application_signs_people_in_and_nothing_else if {
	question := portal(["profile"], {"action": {"name": "issue:access_token:client_credentials"}})
	codes_of(question) == {"grant_not_allowed"}
	as_client := portal(["profile"], {"subject": {"type": "client", "id": "web-portal"}})
	codes_of(as_client) == {"subject_not_allowed"}
}

test_what_costs_money_needs_a_second_factor if {
	answer := issuance.decision with input as portal(["payments:write"], {})
	answer.allow == true
	answer.step_up == {"acr_values": ["urn:example:acr:mfa"], "max_age": 300}
	not cheap_needs_step_up
}

cheap_needs_step_up if {
	answer := issuance.decision with input as portal(["profile"], {})
	answer.step_up
}

test_another_partys_application_needs_consent if {
	answer := issuance.decision with input as portal(["profile"], {"context": {"client": {"id": "photo-print"}}})
	answer.context.issuance.consent == ["profile"]
}

# client credentials

test_a_service_proves_its_key if {
	own := {"type": "client", "id": "billing-service", "properties": {}}
	action := "issue:access_token:client_credentials"
	answer := issuance.decision with input as service(action, "private_key_jwt", own)
	answer.allow == true
	answer.context.issuance.sender_binding == ["dpop", "mtls"]
	codes_of(service(action, "client_secret_basic", own)) == {"authentication_too_weak"}
	codes_of(service("issue:access_token:token_exchange", "tls_client_auth", own)) == {"grant_not_allowed"}
	other := {"type": "client", "id": "web-portal", "properties": {}}
	codes_of(service(action, "private_key_jwt", other)) == {"scope_not_granted", "subject_not_allowed"}
	refresh := service("issue:refresh_token:client_credentials", "private_key_jwt", own)
	codes_of(refresh) == {"token_kind_not_allowed"}
}

# an agent for a user

test_user_and_agent_are_asked_each if {
	of_alice := issuance.decision with input as exchange(alice, {})
	of_alice.context.issuance.scopes == ["tickets:read"]
	of_bot := issuance.decision with input as exchange(bot, for_alice)
	of_bot.context.issuance.scopes == ["tickets:read", "tickets:write"]
	of_bot.context.issuance.token_lifetime == 600
}

test_an_agent_acts_only_for_who_let_it if {
	bob := {"type": "user", "id": "bob", "properties": {}}
	"not_delegated" in codes_of(exchange(bob, {}))
	codes_of(exchange(bot, {"context": {"party": "actor", "on_behalf_of": bob}})) == {"not_delegated"}
	codes_of(exchange(bot, {"context": {"party": "actor", "on_behalf_of": bot}})) == {"no_user"}
	codes_of(exchange(bot, {})) == {"no_user"}
}

test_an_agent_gets_nothing_otherwise if {
	question := exchange(alice, {"action": {"name": "issue:access_token:client_credentials"}})
	codes_of(question) == {"grant_not_allowed"}
	refresh := exchange(alice, {"resource": {"id": "refresh_token"}})
	codes_of(refresh) == {"token_kind_not_allowed"}
}

test_each_actor_of_a_chain_is_known if {
	chain := [bot, {"type": "agent", "id": "planner"}]
	codes_of(exchange(alice, {"context": {"actors": chain}})) == set()
	"unknown_actor" in codes_of(exchange(alice, {"context": {"actors": [bot, {"type": "agent", "id": "x"}]}}))
}

test_a_token_says_who_may_act if {
	codes_of(exchange(alice, {"context": {"may_act": {"sub": "support-bot"}}})) == set()
	codes_of(exchange(alice, {"context": {"may_act": {"sub": "planner"}}})) == {"may_act_mismatch"}
}

# builds

test_a_build_may_what_its_branch_and_environment_may if {
	production := issuance.decision with input as build("example/shop", "production", "refs/heads/main")
	production.context.issuance.scopes == ["deploy:production", "packages:publish"]
	staging := issuance.decision with input as build("example/shop", "staging", "refs/heads/release")
	staging.context.issuance.scopes == ["deploy:staging"]
}

test_another_branch_or_repository_may_nothing if {
	every question in [
		build("example/shop", "production", "refs/heads/release"),
		build("example/shop", "production", "refs/tags/main"),
		build("example/shop", "production", "refs/pull/1/merge"),
		build("example/shop", "production", "main"),
	] {
		codes_of(question) == {"job_not_allowed"}
	}
	codes_of(build("example/fork", "production", "refs/heads/main")) == {"job_not_allowed", "scope_not_granted"}
	codes_of(build("example/shop", "none", "refs/heads/main")) == {"job_not_allowed", "scope_not_granted"}
	person := object.union(build("example/shop", "production", "refs/heads/main"), {"subject": {"type": "client"}})
	"subject_not_allowed" in codes_of(person)
}

# rotation

saturday_3 := time.parse_rfc3339_ns("2026-11-28T03:00:00Z")

saturday_5 := time.parse_rfc3339_ns("2026-11-28T05:00:00Z")

friday_3 := time.parse_rfc3339_ns("2026-11-27T03:00:00Z")

test_keys_are_rotated_in_the_window if {
	inside := codes_of(rotation("private_key_jwt")) with time.now_ns as saturday_3
	inside == set()
	late := codes_of(rotation("private_key_jwt")) with time.now_ns as saturday_5
	late == {"outside_maintenance_window"}
	weekday := codes_of(rotation("private_key_jwt")) with time.now_ns as friday_3
	weekday == {"outside_maintenance_window"}
	weak := codes_of(rotation("client_secret_post")) with time.now_ns as saturday_3
	weak == {"authentication_too_weak"}
}

# partners

test_a_partner_gets_one_scope_until_its_contract_ends if {
	answer := issuance.decision with input as partner(["reports:read"]) with time.now_ns as saturday_3
	answer.allow == true
	answer.context.issuance.claims == {"partner": "acme-analytics"}
	answer.context.issuance.crit == ["partner"]
	answer.context.issuance.token_lifetime == 300
	two := codes_of(partner(["reports:read", "documents:read"])) with time.now_ns as saturday_3
	two == {"too_many_scopes"}
	ended := time.parse_rfc3339_ns("2027-06-30T00:00:00Z")
	late := codes_of(partner(["reports:read"])) with time.now_ns as ended
	late == {"contract_ended"}
}

test_rotation_and_partners_stand_for_themselves_only if {
	other := {"subject": {"type": "workload", "id": "spiffe://x/anything", "properties": {}}}
	exchange := {"action": {"name": "issue:access_token:token_exchange"}}
	every asked_for in [rotation("private_key_jwt"), partner(["reports:read"])] {
		subject := codes_of(object.union(asked_for, other)) with time.now_ns as saturday_3
		"subject_not_allowed" in subject
		grant := codes_of(object.union(asked_for, exchange)) with time.now_ns as saturday_3
		"grant_not_allowed" in grant
	}
}

# tools

test_a_tool_token_is_for_one_server_and_its_tools if {
	answer := issuance.decision with input as tools(alice, [files], ["read_file", "delete_file", "format_disk"], {})
	answer.allow == true
	answer.context.issuance.audience == [files]
	answer.context.issuance.authorization_details == [{
		"type": "mcp_tool",
		"actions": ["read_file"],
		"locations": [files],
	}]
	of_agent := issuance.decision with input as tools(assistant, [files], ["read_file"], for_alice)
	of_agent.allow == true
}

test_a_tool_token_is_for_nothing_else if {
	codes_of(tools(alice, [files], ["search_tickets"], {})) == {"no_tool_granted"}
	both := [files, "https://mcp.example.com/tickets"]
	codes_of(tools(alice, both, ["read_file"], {})) == {"one_server_at_a_time"}
	"one_server_at_a_time" in codes_of(tools(alice, [api], ["read_file"], {}))
	bob := {"type": "user", "id": "bob", "properties": {}}
	"not_delegated" in codes_of(tools(bob, [files], ["read_file"], {}))
}

test_a_tool_token_has_no_member_that_nobody_knows if {
	asked := object.union(tools(alice, [files], ["read_file"], {}), {"resource": {"properties": {"authorization_details": [{
		"type": "mcp_tool",
		"actions": ["read_file"],
		"unattended": true,
	}]}}})
	codes_of(asked) == {"no_tool_granted"}
}

codes_of(question) := codes(answer) if {
	answer := issuance.decision with input as question
	answer.allow == false
} else := set()

codes(answer) := {reason.code | some reason in answer.reasons}
