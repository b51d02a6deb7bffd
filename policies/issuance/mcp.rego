# A token for tools of an MCP server (Model Context Protocol, "Authorization"): for that one server, named by `resource`
# (RFC 8707), and for the tools that the agent may call there, named in `authorization_details` of the type `mcp_tool`.
#
# A token for one server is of no use at another, and cannot be passed on by the server that gets it.
package issuance.mcp

deny contains {
	"code": "one_server_at_a_time",
	"message": "the token is not asked for exactly one MCP server (`resource`)",
	"user_message": "Ask for one tool server at a time.",
} if {
	not server
}

deny contains {
	"code": "no_tool_granted",
	"message": "the agent may call none of the tools that are asked for on this server",
	"user_message": "This agent may not use these tools.",
} if {
	server
	count(tools) == 0
}

deny contains objection if some objection in data.issuance.agent.deny

server := target if {
	count(input.resource.properties.audience) == 1
	some target in input.resource.properties.audience
	data.issuance.mcp_servers[target]
}

# The entries that are asked for, each with the tools that are left of it.
tools := [entry |
	some asked in input.resource.properties.authorization_details
	asked.type == "mcp_tool"

	# Of an entry's own members, nobody here knows what they widen.
	every name, _ in asked {
		name in {"type", "actions", "locations"}
	}
	left := [tool |
		some tool in asked.actions
		input.context.actor.id in data.issuance.mcp_servers[server][tool]
	]
	count(left) > 0
	entry := {"type": "mcp_tool", "actions": left, "locations": [server]}
]

shape := {"authorization_details": tools}
