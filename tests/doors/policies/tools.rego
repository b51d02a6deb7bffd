# Questions that messages of MCP are. Each answer tells all that was seen, so that a difference in any part of the question is one
# in the reason, which is a hash of it.
package tools

default decision := {"allow": false, "reasons": []}

decision := {"allow": allowed, "reasons": [concat("_", ["seen", substring(crypto.sha256(seen), 0, 32)])]}

seen := concat(" ", [
	input.subject.type, input.subject.id, json.marshal(object.get(input.subject, "properties", {})),
	input.action.name,
	input.resource.type, input.resource.id, json.marshal(object.get(input.resource, "properties", {})),
	json.marshal(object.get(input, "context", {})),
])

default allowed := false

allowed if input.action.name in {"ping", "tools/list", "notifications/initialized"}

allowed if {
	input.subject.id == "alice"
	input.action.name == "tools/call"
	input.resource.id in {"files.read", "größe"}
	not input.context.arguments.path == "/etc/passwd"
}

allowed if {
	input.context.agent == "bot"
	input.resource.type in {"mcp_resource", "mcp_prompt", "mcp_task"}
}
