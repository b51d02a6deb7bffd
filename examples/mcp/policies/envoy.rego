# What Envoy lets through to the server of MCP, by the message in the body. What is no message of MCP is denied.
package envoy.authz

import data.mcp
import input.attributes.request.http

metadata := "https://files.example.com/.well-known/oauth-protected-resource/mcp"

default allow := {"allowed": false, "http_status": 403, "body": "You may not do this.\n"}

# Verdict reads `input.mcp` from the body, and refuses headers that say otherwise.
allow := {
	"allowed": true,
	"headers": {"x-user": caller.sub, "x-scopes": caller.scope},
	"request_headers_to_remove": ["authorization"],
} if {
	http.method == "POST"
	may
}

may if {
	caller
	input.mcp.method in {"server/discover", "initialize", "notifications/initialized", "ping", "tools/list"}
}

may if {
	input.mcp.method == "tools/call"
	mcp.entitled(caller.sub, input.mcp.params.name)
	data.tools[input.mcp.params.name]
	not mcp.lacking(caller.scope, input.mcp.params.name)
}

allow := refused(401, sprintf("Bearer resource_metadata=\"%s\"", [metadata]), "who are you?") if not caller

allow := refused(403, challenge, "this needs more rights than you have asked for") if {
	input.mcp.method == "tools/call"
	mcp.entitled(caller.sub, input.mcp.params.name)
	scopes := mcp.lacking(caller.scope, input.mcp.params.name)
	challenge := sprintf(
		"Bearer error=\"insufficient_scope\", scope=\"%s\", resource_metadata=\"%s\"",
		[concat(" ", scopes), metadata],
	)
}

allow := refused(403, "", "this tool is not for you") if {
	caller
	input.mcp.method == "tools/call"
	not mcp.entitled(caller.sub, input.mcp.params.name)
}

# An answer in the terms of JSON-RPC, so that the client's session knows which call it is of.
refused(status, challenge, message) := {
	"allowed": false,
	"http_status": status,
	"headers": object.union({"content-type": "application/json"}, challenges(challenge)),
	"body": json.marshal({"jsonrpc": "2.0", "id": id, "error": {"code": -32001, "message": message}}),
}

challenges("") := {}

challenges(challenge) := {"www-authenticate": challenge} if challenge != ""

default id := null

id := input.mcp.id

# The data has hashes: whoever reads it has no key.
caller := data.keys[crypto.sha256(key)]

key := parts[1] if {
	parts := split(http.headers.authorization, " ")
	parts[0] == "Bearer"
}
