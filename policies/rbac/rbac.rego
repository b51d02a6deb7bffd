# Role-based access to documents: a user has roles, a role inherits roles and grants actions on a type of resource.
#
# Shows how to look things up in data instead of listing them in rules. Users, roles and grants are in data.json, which
# this folder makes `data.rbac.*`; a name there must not be the name of a rule here.
#
# Allow needs a role that grants the action. Whatever is missing or of the wrong type looks nothing up, so it grants
# nothing.
package rbac

decision := {"allow": true, "reasons": granted} if allow

decision := {"allow": false, "reasons": deny} if not allow

default allow := false

allow if count(granting_roles) > 0

# Why it is allowed: one reason for each role that would have been enough.
granted contains {
	"code": "role_grants_action",
	"message": sprintf("role `%s` grants `%s` on `%s`", [role, action, resource_type]),
	"user_message": "Your role allows this.",
} if {
	some role in granting_roles
}

# Why it is denied.
deny contains {
	"code": "unknown_subject",
	"message": sprintf("there is no user `%s` with roles", [user]),
	"user_message": "You have no role here. Ask an administrator for one.",
} if {
	not assigned_roles
}

deny contains {
	"code": "no_role_grants_action",
	"message": sprintf("no role of user `%s` grants `%s` on `%s`", [user, action, resource_type]),
	"user_message": "Your role does not allow this.",
} if {
	assigned_roles
	not allow
}

granting_roles contains role if {
	some role in effective_roles
	action in data.rbac.role_grants[role][resource_type]
}

# The assigned roles and all that they inherit. A role that `role_inherits` does not list gives nothing.
effective_roles := graph.reachable(data.rbac.role_inherits, assigned_roles)

assigned_roles := data.rbac.user_roles[user]

# An agent or a service that calls itself `alice` is not the user `alice`.
default user := ""

user := input.subject.id if {
	input.subject.type == "user"
	is_string(input.subject.id)
}

default action := ""

action := input.action.name if is_string(input.action.name)

default resource_type := ""

resource_type := input.resource.type if is_string(input.resource.type)
