# Tests of the token-issuance example, on the data beside it.
package issuance_test

import data.issuance

test_grants_what_the_client_was_granted if {
	answer := issuance.decision with input as question
	answer == {
		"allow": true,
		"reasons": {{
			"code": "token_allowed",
			"message": "client `web-portal` may have this token",
			"user_message": "You are signed in.",
		}},
		"context": {
			"granted_scopes": ["documents:read", "profile"],
			"audience": "https://api.example.com",
			"lifetime_seconds": 3600,
		},
	}
}

test_narrows_the_scopes if {
	answer := issuance.decision with input as asking({"scopes": ["profile", "admin", "documents:read"]})
	answer.allow == true
	answer.context.granted_scopes == ["documents:read", "profile"]
	codes(answer) == {"token_allowed", "scopes_narrowed"}
	{reason.refused_scopes | some reason in answer.reasons} == {["admin"]}
}

test_never_grants_what_is_no_string if {
	answer := issuance.decision with input as asking({"scopes": ["profile", null, 1, ["admin"], {"a": 1}]})
	answer.allow == true
	answer.context.granted_scopes == ["profile"]
}

test_denies_when_no_scope_is_granted if {
	codes_of(asking({"scopes": ["admin"]})) == {"scope_not_granted"}
	codes_of(asking({"scopes": []})) == {"scope_not_granted"}
}

test_denies_scopes_that_are_no_array if {
	every scopes in ["profile", "profile documents:read", null, 1, {"profile": "profile"}] {
		codes_of(asking({"scopes": scopes})) == {"scope_not_granted"}
	}
}

test_exchanges_a_token_for_no_more_than_it_carries if {
	asked := object.union(question, {"token": {"sub": "alice", "scope": ["profile", "admin"]}})
	answer := issuance.decision with input as asked
	answer.allow == true
	answer.context.granted_scopes == ["profile"]
	codes(answer) == {"token_allowed", "scopes_narrowed"}
}

test_exchanges_a_token_without_scope_for_nothing if {
	every token in [{}, {"scope": []}, {"scope": null}, {"scope": "profile"}] {
		codes_of(object.union(question, {"token": token})) == {"scope_not_granted"}
	}
}

test_denies_another_audience if {
	every audience in [
		"https://mcp.example.com", "https://api.example.com/", "https://api.example.com.evil.example", "*", "",
		null, ["https://api.example.com"], true,
	] {
		codes_of(asking({"audience": audience})) == {"audience_not_allowed"}
	}
}

test_denies_a_lifetime_above_the_ceiling if {
	every seconds in [3601, 1000000000000, 3600.5] {
		answer := issuance.decision with input as asking({"lifetime_seconds": seconds})
		answer.allow == false
		codes(answer) == {"lifetime_exceeds_ceiling"}
		{reason.ceiling_seconds | some reason in answer.reasons} == {3600}
	}
}

test_denies_a_lifetime_that_is_none if {
	every seconds in [0, -1, 0.5, 1.5, "60", null, [60], {}, true] {
		codes_of(asking({"lifetime_seconds": seconds})) == {"lifetime_exceeds_ceiling"}
	}
}

test_allows_a_service_a_refresh_token if {
	asked := object.union(asking({"lifetime_seconds": 2592000}), {"resource": {"id": "refresh_token"}})
	answer := issuance.decision with input as asked
	answer.allow == true
}

test_allows_an_agent_a_short_token if {
	answer := issuance.decision with input as for_agent({"lifetime_seconds": 600})
	answer.allow == true
	answer.context.granted_scopes == ["tickets:read"]
}

test_denies_an_agent_a_long_token if {
	codes_of(for_agent({"lifetime_seconds": 601})) == {"lifetime_exceeds_ceiling"}
}

test_denies_an_agent_a_refresh_token if {
	asked := object.union(for_agent({"lifetime_seconds": 60}), {"resource": {"id": "refresh_token"}})
	codes_of(asked) == {"token_kind_not_allowed"}
}

test_ignores_what_a_client_says_it_is if {
	asked := object.union(for_agent({"lifetime_seconds": 3600}), {"subject": {"properties": {"kind": "service"}}})
	codes_of(asked) == {"lifetime_exceeds_ceiling"}
}

test_denies_an_unknown_kind_of_token if {
	every kind in ["id_token", "", null, ["access_token"]] {
		codes_of(object.union(question, {"resource": {"id": kind}})) == {"token_kind_not_allowed"}
	}
}

test_denies_an_unknown_client if {
	unknown := {
		"unknown_client", "scope_not_granted", "audience_not_allowed",
		"token_kind_not_allowed",
	}
	codes_of(object.union(question, {"subject": {"id": "rogue"}})) == unknown
	codes_of(object.union(question, {"subject": {"type": "user"}})) == unknown
}

test_denies_another_action_or_type if {
	codes_of(object.union(question, {"action": {"name": "revoke"}})) == {"action_not_allowed"}
	codes_of(object.union(question, {"resource": {"type": "document"}})) == {"action_not_allowed"}
}

test_denies_when_any_part_is_missing if {
	every path in [
		"subject", "subject/type", "subject/id", "action", "action/name",
		"resource", "resource/type", "resource/id", "resource/properties", "resource/properties/scopes",
		"resource/properties/audience", "resource/properties/lifetime_seconds",
	] {
		denied_with_reason(json.remove(question, [path]))
	}
}

test_denies_dirty_input if {
	every dirty in [
		{},
		{"subject": null, "action": null, "resource": null, "context": null},
		{"subject": "web-portal", "action": "issue", "resource": "token"},
		object.union(question, {"subject": {"id": ["web-portal"]}}),
		object.union(question, {"action": {"name": ["issue"]}}),
		object.union(question, {"resource": {"type": ["token"]}}),
		object.union(question, {"resource": {"properties": []}}),
		object.union(question, {"resource": {"properties": null}}),
	] {
		denied_with_reason(dirty)
	}
}

question := {
	"subject": {"type": "client", "id": "web-portal"},
	"action": {"name": "issue"},
	"resource": {
		"type": "token",
		"id": "access_token",
		"properties": {
			"scopes": ["profile", "documents:read"],
			"audience": "https://api.example.com",
			"lifetime_seconds": 3600,
		},
	},
	"context": {},
}

asking(properties) := object.union(question, {"resource": {"properties": properties}})

for_agent(properties) := object.union(asking(properties), {
	"subject": {"id": "support-bot"},
	"resource": {"properties": {"scopes": ["tickets:read"]}},
})

codes(answer) := {reason.code | some reason in answer.reasons}

codes_of(asked) := codes(answer) if {
	answer := issuance.decision with input as asked
	answer.allow == false
}

denied_with_reason(asked) if {
	answer := issuance.decision with input as asked
	answer.allow == false
	count(answer.reasons) > 0
}
