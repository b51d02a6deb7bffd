# Which tools a caller may use: for lists (asked by the server) and for calls (asked by Envoy, through envoy.rego).
package mcp

default decision := {"allow": false, "reasons": [{"code": "not_entitled", "message": "the caller has no such tool"}]}

# A list shows what the caller may use, if need be after stepping up.
decision := {"allow": true} if {
	input.action.name == "tools/call"
	input.resource.type == "mcp_tool"
	input.context.listing == true
	input.resource.properties.server == "https://files.example.com/mcp"
	input.subject.type == "identity"
	entitled(input.subject.id, input.resource.id)
}

entitled(user, tool) if tool in data.users[user].tools

# The scopes that a tool needs, if the caller's are not enough: all of them, so that one step-up does.
lacking(scope, tool) := needed if {
	needed := data.tools[tool].scopes
	held := split(scope, " ")
	some one in needed
	not one in held
}
