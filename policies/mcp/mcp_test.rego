# Tests of the MCP example, on the data beside it.
package mcp_test

import data.mcp

test_allows_a_tool_of_both_agent_and_user if {
	answer := mcp.decision with input as call("docs-bot", "bob", "files.read", {"path": "/srv/handbook/leave.md"})
	answer == {"allow": true, "reasons": [{
		"code": "tool_allowed",
		"message": "agent `docs-bot` may call `files.read` for user `bob`",
		"user_message": "The assistant may do this for you.",
	}]}
}

test_allows_optional_arguments if {
	allows(call("support-bot", "alice", "tickets.search", {"query": "printer"}))
	allows(call("support-bot", "alice", "tickets.search", {"query": "printer", "status": "open"}))
}

test_denies_a_tool_that_the_agent_lacks if {
	codes_of(call("docs-bot", "alice", "tickets.search", {"query": "printer"})) == {"tool_not_allowed"}
}

test_denies_a_tool_that_the_user_lacks if {
	codes_of(call("support-bot", "bob", "tickets.search", {"query": "printer"})) == {"tool_not_allowed_for_user"}
}

test_denies_an_unknown_agent if {
	codes_of(call("rogue-bot", "bob", "files.read", {"path": "/srv/shared/a"})) == {"tool_not_allowed"}
}

test_denies_a_user_who_calls_like_an_agent if {
	asked := object.union(
		call("docs-bot", "bob", "files.read", {"path": "/srv/shared/a"}),
		{"subject": {"type": "user"}},
	)
	codes_of(asked) == {"tool_not_allowed", "delegation_mismatch"}
}

test_denies_an_agent_that_acts_for_nobody if {
	asked := json.remove(
		call("docs-bot", "bob", "files.read", {"path": "/srv/shared/a"}),
		["subject/properties/on_behalf_of"],
	)
	codes_of(asked) == {"delegation_mismatch", "tool_not_allowed_for_user"}
}

test_denies_a_tool_that_is_not_described if {
	codes := codes_of(call("docs-bot", "bob", "shell.run", {"command": "id"}))
	codes == {"tool_not_allowed", "tool_not_allowed_for_user", "arguments_unknown", "approval_required"}
}

test_denies_another_action_or_type if {
	asked := call("docs-bot", "bob", "files.read", {"path": "/srv/shared/a"})
	codes_of(object.union(asked, {"action": {"name": "list"}})) == {"action_not_allowed"}
	codes_of(object.union(asked, {"resource": {"type": "document"}})) == {"action_not_allowed"}
}

test_takes_the_verified_token_over_the_question if {
	asked := call("docs-bot", "bob", "files.read", {"path": "/srv/shared/a"})
	allows(object.union(asked, {"token": {"sub": "bob", "act": {"sub": "docs-bot"}}}))
	every token in [
		{"sub": "carol", "act": {"sub": "docs-bot"}},
		{"sub": "bob", "act": {"sub": "support-bot"}},
		{"sub": "bob"},
		{},
	] {
		codes_of(object.union(asked, {"token": token})) == {"delegation_mismatch"}
	}
}

test_allows_paths_below_the_folders if {
	every path in ["/srv/shared/a", "/srv/shared/2026/plan_v1.2-final.md", "/srv/handbook/_index.md"] {
		allows(call("docs-bot", "bob", "files.read", {"path": path}))
	}
}

test_denies_paths_outside_or_in_disguise if {
	every path in [
		"", "/", "/etc/passwd", "/srv/shared", "/srv/shared/", "/srv/shared-secrets/a", "srv/shared/a",
		"/srv/shared/../secrets/a", "/srv/shared/..", "/srv/shared/./a", "/srv/shared//a", "/srv/shared/.ssh/id",
		"/srv/shared/%2e%2e/a", "/srv/shared/..%2fa", "/srv/shared/..\\a", "/srv/shared/a\u0000.md",
		"/srv/shared/a\n", "/srv/shared/a b", "/SRV/shared/a", "file:///srv/shared/a", null, 1, true,
		["/srv/shared/a"], {"/srv/shared/a": 1},
	] {
		codes_of(call("docs-bot", "bob", "files.read", {"path": path})) == {"argument_not_allowed"}
	}
}

test_allows_urls_on_listed_hosts if {
	every url in [
		"https://docs.example.com/", "https://docs.example.com/a/b?c=d&e=%20f",
		"https://status.example.com/v1/incidents",
	] {
		allows(call("docs-bot", "bob", "web.fetch", {"url": url}))
	}
}

test_denies_urls_elsewhere_or_in_disguise if {
	every url in [
		"", "https://", "https://evil.example/", "http://docs.example.com/", "HTTPS://docs.example.com/",
		"https://docs.example.com", "https://docs.example.com.evil.example/", "https://evildocs.example.com/",
		"https://docs.example.com@evil.example/", "https://evil.example/docs.example.com/",
		"https://docs.example.com:8443/", "https://docs.example.com\\@evil.example/", "https:///docs.example.com/",
		"https://docs.example.com./", "https://169.254.169.254/latest/meta-data", "https://[::1]/",
		"https://evil.example#docs.example.com/", "https://evil.example?/docs.example.com/",
		" https://docs.example.com/", "https://docs.example.com/\n", "javascript:alert(1)", null, 7,
		["https://docs.example.com/"],
	] {
		codes_of(call("docs-bot", "bob", "web.fetch", {"url": url})) == {"argument_not_allowed"}
	}
}

test_denies_text_that_is_too_long_or_no_text if {
	every query in [sprintf("%0201d", [0]), 1, null, ["printer"], {"a": 1}] {
		codes_of(call("support-bot", "alice", "tickets.search", {"query": query})) == {"argument_not_allowed"}
	}
}

test_denies_a_value_that_is_not_listed if {
	every status in ["secret", "", null, ["open"]] {
		arguments := {"query": "printer", "status": status}
		codes_of(call("support-bot", "alice", "tickets.search", arguments)) == {"argument_not_allowed"}
	}
}

test_denies_amounts_outside_the_bounds if {
	every amount in [500.01, 501, 1000000000000, 0, 0.5, -1, "100", null, [100], {}, true] {
		arguments := {"amount": amount, "currency": "EUR"}
		asked := call("support-bot", "alice", "payments.refund", arguments)
		codes_of(approved(asked, "carol")) == {"argument_not_allowed"}
	}
}

test_denies_a_bound_that_is_not_set if {
	every kind in ["text", "one_of", "number", "path", "url", "regex", null] {
		unbounded(kind, "/srv/shared/a") == {"argument_not_allowed"}
		unbounded(kind, "https://docs.example.com/") == {"argument_not_allowed"}
		unbounded(kind, 1) == {"argument_not_allowed"}
	}
}

unbounded(kind, value) := bounded({"kind": kind}, value)

test_denies_a_bound_of_unknown_kind_or_type if {
	every_bound := {
		"max_length": 100, "values": ["/srv/shared/a", 1], "min": 1, "max": 9,
		"folders": ["/srv/shared"], "hosts": ["docs.example.com"],
	}
	every value in ["/srv/shared/a", "https://docs.example.com/", 1] {
		bounded(every_bound, value) == {"argument_not_allowed"}
		bounded(object.union(every_bound, {"kind": "regex"}), value) == {"argument_not_allowed"}
	}
	bounded({"kind": "number", "min": null, "max": 9}, 1) == {"argument_not_allowed"}
	bounded({"kind": "number", "min": 1, "max": null}, 1) == {"argument_not_allowed"}
}

test_denies_a_tool_whose_arguments_are_not_described if {
	every tool in [
		{"destructive": false},
		{"destructive": false, "arguments": {}},
		{"destructive": false, "arguments": {}, "required": null},
		{"destructive": false, "arguments": [], "required": []},
	] {
		answer := mcp.decision with input as call("docs-bot", "bob", "files.read", {})
			with data.mcp.tools as {"files.read": tool}
		answer.allow == false
		codes(answer) == {"arguments_unknown"}
	}
}

bounded(bounds, value) := codes(answer) if {
	tool := {"destructive": false, "required": [], "arguments": {"path": bounds}}
	answer := mcp.decision with input as call("docs-bot", "bob", "files.read", {"path": value})
		with data.mcp.tools as {"files.read": tool}
	answer.allow == false
}

test_denies_an_unknown_argument if {
	answer := mcp.decision with input as call(
		"docs-bot", "bob", "files.read",
		{"path": "/srv/shared/a", "follow_symlinks": true},
	)
	answer.allow == false
	{[reason.code, reason.argument] | some reason in answer.reasons} == {["argument_not_allowed", "follow_symlinks"]}
}

test_denies_a_missing_argument if {
	codes_of(call("docs-bot", "bob", "files.read", {})) == {"argument_missing"}
}

test_denies_arguments_that_are_no_object if {
	every arguments in [null, "path", ["/srv/shared/a"], 1, true] {
		codes_of(call("docs-bot", "bob", "files.read", arguments)) == {"arguments_unknown"}
	}
}

test_requires_approval_of_a_destructive_tool if {
	answer := mcp.decision with input as refund
	answer.allow == false
	codes(answer) == {"approval_required"}
	answer.obligations == [{
		"id": "approval",
		"type": "request_approval",
		"properties": {"tool": "payments.refund", "approver_roles": ["support_lead"]},
	}]
}

test_does_not_ask_for_approval_of_what_is_refused_anyway if {
	arguments := {"amount": 1, "currency": "EUR"}
	answer := mcp.decision with input as call("support-bot", "bob", "payments.refund", arguments)
	codes(answer) == {"tool_not_allowed_for_user", "approval_required"}
	answer.obligations == []
}

test_allows_an_approved_call if allows(approved(refund, "carol"))

test_denies_an_approval_by_someone_without_the_role if {
	every person in ["bob", "mallory", "support-bot", "", null, ["carol"]] {
		codes_of(approved(refund, person)) == {"approval_required"}
	}
}

test_denies_an_approval_by_the_user_themselves if {
	asked := call("support-bot", "carol", "payments.refund", {"amount": 1, "currency": "EUR"})
	codes_of(approved(asked, "carol")) == {"approval_required"}
}

test_denies_an_approval_of_another_call if {
	every approval in [
		{"tool": "files.delete"},
		{"arguments": {"amount": 1, "currency": "EUR"}},
		{"arguments": null},
	] {
		asked := object.union(approved(refund, "carol"), {"context": {"approval": approval}})
		codes_of(asked) == {"approval_required"}
	}
	every approval in [true, null, "carol", ["carol"], {}] {
		codes_of(object.union(refund, {"context": {"approval": approval}})) == {"approval_required"}
	}
}

test_takes_a_tool_for_destructive_unless_told_otherwise if {
	harmless := {"required": [], "arguments": {}}
	every tool in [
		harmless,
		object.union(harmless, {"destructive": null}),
		object.union(harmless, {"destructive": "false"}),
		object.union(harmless, {"destructive": 0}),
		object.union(harmless, {"destructive": true}),
	] {
		answer := mcp.decision with input as call("docs-bot", "bob", "files.read", {})
			with data.mcp.tools as {"files.read": tool}
		answer.allow == false
		codes(answer) == {"approval_required"}
	}
}

test_denies_when_any_part_is_missing if {
	every path in [
		"subject", "subject/type", "subject/id", "subject/properties", "subject/properties/on_behalf_of",
		"action", "action/name", "action/properties", "action/properties/arguments",
		"resource", "resource/type", "resource/id",
		"context", "context/approval", "context/approval/tool", "context/approval/arguments",
		"context/approval/approved_by",
	] {
		denied_with_reason(json.remove(approved(refund, "carol"), [path]))
	}
}

test_denies_dirty_input if {
	every dirty in [
		{},
		{"subject": null, "action": null, "resource": null, "context": null},
		{"subject": "support-bot", "action": "call", "resource": "files.read", "context": true},
		object.union(refund, {"subject": {"id": ["support-bot"]}}),
		object.union(refund, {"subject": {"properties": {"on_behalf_of": ["alice"]}}}),
		object.union(refund, {"action": {"name": ["call"]}}),
		object.union(refund, {"action": {"properties": []}}),
		object.union(refund, {"resource": {"id": null}}),
		object.union(refund, {"resource": {"id": ["payments.refund"]}}),
		object.union(refund, {"context": []}),
	] {
		denied_with_reason(dirty)
	}
}

refund := call("support-bot", "alice", "payments.refund", {"amount": 120, "currency": "EUR"})

call(agent, user, tool, arguments) := {
	"subject": {"type": "agent", "id": agent, "properties": {"on_behalf_of": user}},
	"action": {"name": "call", "properties": {"arguments": arguments}},
	"resource": {"type": "mcp_tool", "id": tool},
	"context": {},
}

approved(asked, person) := object.union(asked, {"context": {"approval": {
	"tool": asked.resource.id,
	"arguments": asked.action.properties.arguments,
	"approved_by": person,
}}})

codes(answer) := {reason.code | some reason in answer.reasons}

codes_of(asked) := codes(answer) if {
	answer := mcp.decision with input as asked
	answer.allow == false
}

allows(asked) if {
	answer := mcp.decision with input as asked
	answer.allow == true
}

denied_with_reason(asked) if {
	answer := mcp.decision with input as asked
	answer.allow == false
	count(answer.reasons) > 0
}

test_takes_the_question_of_the_mcp_door if {
	allows(message("docs-bot", "bob", "files.read", {"arguments": {"path": "/srv/handbook/leave.md"}}))
	codes_of(message("docs-bot", "bob", "files.read", {"arguments": {"path": "/etc/passwd"}})) == {"argument_not_allowed"}
	"arguments_unknown" in codes_of(message("docs-bot", "bob", "files.read", {}))
}

test_lists_the_tools_of_both_agent_and_user if {
	allows(message("docs-bot", "bob", "files.read", {"listing": true}))
	"tool_not_allowed" in codes_of(message("docs-bot", "bob", "tickets.search", {"listing": true}))
}

message(agent, user, tool, context) := {
	"subject": {"type": "identity", "id": user},
	"action": {"name": "tools/call"},
	"resource": {"type": "mcp_tool", "id": tool},
	"context": object.union({"agent": agent}, context),
}
