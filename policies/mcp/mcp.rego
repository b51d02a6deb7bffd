# MCP tool calls by AI agents: which agent may call which tool, for whom, with which arguments, on whose approval.
#
# Shows how to bound an agent by the least of two grants: its own tool list and the roles of the user it acts for. Then
# how to check arguments by allow-lists kept in data, and how to ask for a human's approval of exactly this call.
#
# The question: the subject is the agent (`type` "agent") with `properties.on_behalf_of`, the user's id; the action is
# `call` with `properties.arguments`; the resource is the tool (`type` "mcp_tool", `id` its name). Verdict's MCP door asks
# otherwise (docs/mcp.md): the subject is the user (`type` "identity"), the agent and the arguments are in the context, the
# action is `tools/call`; with `context.listing` it asks which tools to show. A text in a tool's
# arguments is written by a model that may have been talked into it: nothing is allowed that a rule here does not know.
package mcp

decision := {
	"allow": true,
	"reasons": [{
		"code": "tool_allowed",
		"message": sprintf("agent `%s` may call `%s` for user `%s`", [agent, tool_name, user]),
		"user_message": "The assistant may do this for you.",
	}],
} if {
	allow
}

decision := {
	"allow": false,
	"reasons": deny,
	"obligations": [obligation | some obligation in obligations],
} if {
	not allow
}

default allow := false

allow if {
	call_asked
	delegation_proven
	agent_may_use_tool
	user_may_use_tool
	arguments_allowed
	approved
}

# A list shows what may be called at all; each call is asked about again, with its arguments.
allow if {
	action == "tools/call"
	input.context.listing == true
	call_asked
	delegation_proven
	agent_may_use_tool
	user_may_use_tool
}

deny contains {
	"code": "action_not_allowed",
	"message": "the question is not about the action `call` on a resource of type `mcp_tool`",
	"user_message": "The assistant cannot do this.",
} if {
	not call_asked
}

deny contains {
	"code": "delegation_mismatch",
	"message": sprintf("nothing shows that agent `%s` acts for user `%s`", [agent, user]),
	"user_message": "The assistant is not acting for you. Sign in again.",
} if {
	not delegation_proven
}

deny contains {
	"code": "tool_not_allowed",
	"message": sprintf("agent `%s` is unknown or has no tool `%s`", [agent, tool_name]),
	"user_message": "This assistant may not use this tool.",
} if {
	not agent_may_use_tool
}

deny contains {
	"code": "tool_not_allowed_for_user",
	"message": sprintf("no role of user `%s` gives the tool `%s`", [user, tool_name]),
	"user_message": "Your role does not allow this, so neither may the assistant.",
} if {
	not user_may_use_tool
}

deny contains {
	"code": "argument_not_allowed",
	"message": sprintf("argument `%s` of tool `%s` is unknown or outside its bounds", [name, tool_name]),
	"user_message": "The assistant asked for something outside its bounds.",
	"argument": name,
} if {
	some name in refused_arguments
}

deny contains {
	"code": "argument_missing",
	"message": sprintf("tool `%s` needs the argument `%s`", [tool_name, name]),
	"user_message": "The assistant's request is incomplete.",
	"argument": name,
} if {
	some name in missing_arguments
}

deny contains {
	"code": "arguments_unknown",
	"message": sprintf("`action.properties.arguments` is not an object, or tool `%s` is not described", [tool_name]),
	"user_message": "The assistant's request is incomplete.",
} if {
	not arguments_described
}

deny contains {
	"code": "approval_required",
	"message": sprintf("tool `%s` needs an approval of this very call by another role", [tool_name]),
	"user_message": "A person has to approve this first.",
} if {
	not approved
}

# Tells the gateway whom to ask, where approval is all that is missing.
obligations contains {
	"id": "approval",
	"type": "request_approval",
	"properties": {"tool": tool_name, "approver_roles": tool.approver_roles},
} if {
	{reason.code | some reason in deny} == {"approval_required"}
}

call_asked if {
	action in {"call", "tools/call"}
	input.resource.type == "mcp_tool"
}

# Without a token the gateway's word is taken. With one that Verdict verified, the token decides: `sub` is the user,
# `act.sub` is who acts for them (RFC 8693 §4.1).
delegation_proven if {
	not input.token
	agent != ""
	user != ""
}

delegation_proven if {
	input.token.sub == user
	input.token.act.sub == agent
}

agent_may_use_tool if tool_name in data.mcp.agents[agent].tools

user_may_use_tool if {
	some role in data.mcp.user_roles[user]
	tool_name in data.mcp.role_tools[role]
}

arguments_allowed if {
	arguments_described
	count(refused_arguments) == 0
	count(missing_arguments) == 0
}

arguments_described if {
	is_object(arguments)
	is_object(tool.arguments)
	is_array(tool.required)
}

accepted_arguments contains name if {
	arguments_described
	some name, value in arguments
	within_bounds(tool.arguments[name], value)
}

refused_arguments := object.keys(arguments) - accepted_arguments if arguments_described

missing_arguments := {name | some name in tool.required} - object.keys(arguments) if arguments_described

# Undefined, and so refused, for every kind and every value that is not named here.
within_bounds(bounds, value) if {
	bounds.kind == "text"
	is_string(value)
	count(value) <= bounds.max_length
}

within_bounds(bounds, value) if {
	bounds.kind == "one_of"
	value in bounds.values
}

within_bounds(bounds, value) if {
	bounds.kind == "number"
	is_number(value)
	is_number(bounds.min)
	value >= bounds.min
	value <= bounds.max
}

# Each segment starts with a letter, a digit or `_`: neither `..` nor `.`, nor an empty or hidden one, nor an escape
# (`%2e`, `\`) gets through. The folder ends at a `/`, so that /srv/shared does not open /srv/shared-secrets.
within_bounds(bounds, value) if {
	bounds.kind == "path"
	is_string(value)
	regex.match("^(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$", value)
	some folder in bounds.folders
	startswith(value, concat("", [folder, "/"]))
}

# https only, no port, no user info (`docs.example.com@evil.example`), and the whole host compared, not its ending.
within_bounds(bounds, value) if {
	bounds.kind == "url"
	is_string(value)
	regex.match("^https://[a-z0-9.-]+/[A-Za-z0-9_.~/?=&%+,-]*$", value)
	parts := split(value, "/")
	parts[2] in bounds.hosts
}

# A tool of which it is not said that it is harmless is taken for destructive.
approved if tool.destructive == false

# An approval is for this tool with these arguments, by someone other than the agent's user who has the role for it.
# The gateway vouches for it, as for the rest of `context`.
approved if {
	approval := input.context.approval
	approval.tool == tool_name
	approval.arguments == arguments
	approval.approved_by != user
	some role in data.mcp.user_roles[approval.approved_by]
	role in tool.approver_roles
}

tool := data.mcp.tools[tool_name]

arguments := input.action.properties.arguments if action != "tools/call"

arguments := input.context.arguments if action == "tools/call"

default agent := ""

agent := input.subject.id if {
	input.subject.type == "agent"
	is_string(input.subject.id)
}

agent := input.context.agent if {
	input.subject.type == "identity"
	is_string(input.context.agent)
}

default user := ""

user := input.subject.properties.on_behalf_of if {
	input.subject.type != "identity"
	is_string(input.subject.properties.on_behalf_of)
}

user := input.subject.id if {
	input.subject.type == "identity"
	is_string(input.subject.id)
}

default tool_name := ""

tool_name := input.resource.id if is_string(input.resource.id)

default action := ""

action := input.action.name if is_string(input.action.name)
