# Tests of the default entry point: each type of resource reaches its package, and nothing else is allowed.
package authz_test

import data.authz

test_asks_rbac_about_documents if {
	answer := authz.decision with input as {
		"subject": {"type": "user", "id": "alice"},
		"action": {"name": "read"},
		"resource": {"type": "document", "id": "handbook"},
	}
	answer.allow == true
	codes(answer) == {"role_grants_action"}
}

test_asks_abac_about_records if {
	answer := authz.decision with input as {
		"subject": {"type": "user", "id": "erin", "properties": {"tenant": "acme", "clearance": "internal"}},
		"action": {"name": "read"},
		"resource": {"type": "record", "id": "r1", "properties": {"tenant": "acme", "sensitivity": "internal"}},
		"context": {"time": "2026-03-03T10:00:00Z"},
	}
	answer.allow == true
	codes(answer) == {"attributes_match"}
}

test_asks_mcp_about_tools if {
	answer := authz.decision with input as {
		"subject": {"type": "agent", "id": "docs-bot", "properties": {"on_behalf_of": "bob"}},
		"action": {"name": "call", "properties": {"arguments": {"path": "/srv/handbook/leave.md"}}},
		"resource": {"type": "mcp_tool", "id": "files.read"},
	}
	answer.allow == true
	codes(answer) == {"tool_allowed"}
}

test_asks_issuance_about_tokens if {
	answer := authz.decision with input as {
		"subject": {"type": "user", "id": "alice"},
		"action": {"name": "issue:access_token:authorization_code"},
		"resource": {"type": "token", "id": "access_token", "properties": {
			"scopes": ["profile"],
			"audience": ["https://api.example.com"],
		}},
		"context": {"client": {"id": "web-portal"}, "code_challenge_method": "S256"},
	}
	answer.allow == true
	codes(answer) == {"token_allowed"}
}

test_passes_a_denial_on_with_its_reasons if {
	answer := authz.decision with input as {
		"subject": {"type": "user", "id": "bob"},
		"action": {"name": "delete"},
		"resource": {"type": "document", "id": "handbook"},
	}
	answer.allow == false
	codes(answer) == {"no_role_grants_action"}
}

test_denies_what_no_policy_decides_on if {
	every kind in ["vault", "Document", "", null, 1, true, ["document"], {"document": 1}] {
		answer := authz.decision with input as {
			"subject": {"type": "user", "id": "carol"},
			"action": {"name": "read"},
			"resource": {"type": kind, "id": "handbook"},
		}
		answer.allow == false
		codes(answer) == {"unknown_resource_type"}
	}
}

test_denies_dirty_input if {
	every dirty in [
		{},
		{"resource": null},
		{"resource": {}},
		{"resource": "document"},
		{"resource": ["document"]},
		{"subject": null, "action": null, "resource": null, "context": null},
	] {
		answer := authz.decision with input as dirty
		answer.allow == false
		codes(answer) == {"unknown_resource_type"}
	}
}

# A type alone reaches a package, and is denied there.
test_denies_a_bare_type_with_a_reason if {
	every kind in ["document", "record", "mcp_tool", "token"] {
		answer := authz.decision with input as {"resource": {"type": kind}}
		answer.allow == false
		count(answer.reasons) > 0
	}
}

codes(answer) := {reason.code | some reason in answer.reasons}
