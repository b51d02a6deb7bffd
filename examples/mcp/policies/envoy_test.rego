package envoy.authz_test

import data.envoy.authz

called(key, method, params) := {
	"attributes": {"request": {"http": {"method": "POST", "headers": {"authorization": concat(" ", ["Bearer", key])}}}},
	"mcp": {"jsonrpc": "2.0", "id": 7, "method": method, "params": params},
}

tool(key, name) := called(key, "tools/call", {"name": name, "arguments": {}})

test_who_is_entitled_and_has_the_scopes_may_call if {
	answer := authz.allow with input as tool("key-of-bob", "read_file")
	answer.allowed
	answer.headers == {"x-user": "bob", "x-scopes": "files:read"}
	stepped_up := authz.allow with input as tool("key-of-bob-stepped-up", "delete_file")
	stepped_up.allowed
}

test_who_lacks_scopes_is_told_all_of_them if {
	answer := authz.allow with input as tool("key-of-bob", "delete_file")
	not answer.allowed
	answer.http_status == 403
	contains(answer.headers["www-authenticate"], "error=\"insufficient_scope\", scope=\"files:write files:delete\"")
	json.unmarshal(answer.body).id == 7
}

test_who_is_not_entitled_is_not_asked_for_scopes if {
	some name in ["read_payroll", "invented"]
	answer := authz.allow with input as tool("key-of-bob", name)
	not answer.allowed
	not answer.headers["www-authenticate"]
}

test_the_unknown_are_asked_who_they_are if {
	answer := authz.allow with input as tool("key-of-mallory", "read_file")
	answer.http_status == 401
	startswith(answer.headers["www-authenticate"], "Bearer ")
}

test_lists_and_what_begins_a_session_may_pass if {
	every method in ["server/discover", "tools/list", "initialize"] {
		answer := authz.allow with input as called("key-of-bob", method, {})
		answer.allowed
	}
}

test_nothing_else_may if {
	answer := authz.allow with input as called("key-of-bob", "resources/read", {"uri": "file:///etc/passwd"})
	answer == {"allowed": false, "http_status": 403, "body": "You may not do this.\n"}
	bare := authz.allow with input as object.remove(tool("key-of-bob", "read_file"), ["mcp"])
	not bare.allowed
}

listed(user, name) := {
	"subject": {"type": "identity", "id": user},
	"action": {"name": "tools/call"},
	"resource": {"type": "mcp_tool", "id": name, "properties": {"server": "https://files.example.com/mcp"}},
	"context": {"listing": true},
}

test_a_list_shows_what_may_be_used if {
	shown := data.mcp.decision with input as listed("bob", "delete_file")
	shown.allow
	hidden := data.mcp.decision with input as listed("bob", "read_payroll")
	not hidden.allow
}
