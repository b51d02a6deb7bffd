# Token issuance: which scopes, targets and lifetime an authorization server may put into a token.
#
# The entry point of `issuance.policy`, for the gRPC IssuanceService and for AuthZEN's token-issuance profile alike. What
# every token is held to is here; each client has a profile, a package beside this one, which has a say on top of that.
# What is not named under `context.issuance` is not granted, and Verdict cuts what goes beyond the request.
#
# The question: the subject is the party whose rights are asked about (`context.party`: the `subject` whom the token
# stands for, or the `actor` that gets it); the action is `issue:<token type>:<grant>`; the resource is the token, with
# `scopes`, `audience`, `authorization_details`, `lifetime_seconds` and `cnf` as its properties; the context has the
# client, the chain of actors and the consent. docs/issuance.md has all of it.
package issuance

decision := object.union(
	{
		"allow": true,
		"reasons": granted,
		"context": {"issuance": object.union(grant, shape)},
	},
	step_up,
) if {
	allow
}

decision := {"allow": false, "reasons": deny, "context": {"issuance": refusal}} if not allow

default allow := false

allow if {
	issue_asked
	client_known
	scope_granted
	audience_allowed
	token_kind_allowed
	profile_satisfied
}

grant := {
	"scopes": sort(granted_scopes),
	"audience": sort(granted_audience),
	"token_lifetime": ceiling_seconds,
	"refused_scopes": {scope: "neither the client nor the party has it" | some scope in refused_scopes},
}

granted contains {
	"code": "token_allowed",
	"message": sprintf("client `%s` may have this token", [client_id]),
	"user_message": "You are signed in.",
} if {
	allow
}

granted contains {
	"code": "scopes_narrowed",
	"message": sprintf("client `%s` asked for scopes that it was not granted", [client_id]),
	"user_message": "Some of what this application asked for was left out.",
	"refused_scopes": sort(refused_scopes),
} if {
	count(refused_scopes) > 0
}

deny contains {
	"code": "action_not_allowed",
	"message": "the question is not about issuing a token",
	"user_message": "This request cannot be decided.",
} if {
	not issue_asked
}

deny contains {
	"code": "unknown_client",
	"message": sprintf("there is no client `%s` with a profile", [client_id]),
	"user_message": "This application is not registered.",
} if {
	not client_known
}

deny contains {
	"code": "scope_not_granted",
	"message": sprintf("client `%s` was granted none of the scopes it asks for", [client_id]),
	"user_message": "This application may not have that access.",
} if {
	not scope_granted
}

deny contains {
	"code": "audience_not_allowed",
	"message": sprintf("client `%s` gets no token for any target that it names", [client_id]),
	"user_message": "This application may not use that service.",
} if {
	not audience_allowed
}

deny contains {
	"code": "token_kind_not_allowed",
	"message": sprintf("client `%s` gets no token of kind `%s`", [client_id, token_kind]),
	"user_message": "This application has to ask again each time.",
} if {
	not token_kind_allowed
}

deny contains objection if some objection in objections

refusal := {"error": "invalid_target"} if {
	scope_granted
	not audience_allowed
} else := {"error": "invalid_scope"} if {
	not scope_granted
} else := {}

issue_asked if {
	startswith(input.action.name, "issue:")
	input.resource.type == "token"
}

client_known if client.profile in profiles

scope_granted if count(granted_scopes) > 0

# A client that needs no target names none: each token is for a service.
audience_allowed if count(granted_audience) > 0

# Without a ceiling for this kind of client and token there is no such token: that is how agents get no refresh token.
token_kind_allowed if is_number(ceiling_seconds)

profile_satisfied if count(objections) == 0

granted_scopes := asked_scopes & grantable_scopes

refused_scopes := asked_scopes - grantable_scopes

# What the client is registered for, the party has a right to, and the profile leaves.
grantable_scopes := (client_scopes & party_scopes) & profile_scopes

client_scopes := {scope | some scope in client.scopes}

asked_scopes := {scope | some scope in input.resource.properties.scopes}

granted_audience := {target |
	some target in input.resource.properties.audience
	target in client.audiences
}

# Users and agents have rights of their own; a client and its workloads have what it is registered for.
default party_scopes := set()

party_scopes := {scope | some scope in data.issuance.user_rights[input.subject.id].scopes} if {
	input.subject.type == "user"
}

party_scopes := {scope | some scope in data.issuance.agent_rights[input.subject.id].scopes} if {
	input.subject.type == "agent"
}

party_scopes := client_scopes if {
	input.subject.type == "client"
	input.subject.id == client_id
}

party_scopes := client_scopes if {
	input.subject.type == "workload"
	client.profile == "ci"
}

ceiling_seconds := data.issuance.lifetime_ceilings_seconds[client.kind][token_kind]

client := data.issuance.clients[client_id]

default client_id := ""

client_id := input.context.client.id

default token_kind := ""

token_kind := input.resource.id

profiles := {"authorization_code", "client_credentials", "agent", "ci", "rotation", "partner", "mcp"}

# What the client's profile has against it.
objections contains objection if {
	client.profile == "authorization_code"
	some objection in data.issuance.authorization_code.deny
}

objections contains objection if {
	client.profile == "client_credentials"
	some objection in data.issuance.client_credentials.deny
}

objections contains objection if {
	client.profile == "agent"
	some objection in data.issuance.agent.deny
}

objections contains objection if {
	client.profile == "ci"
	some objection in data.issuance.ci.deny
}

objections contains objection if {
	client.profile == "rotation"
	some objection in data.issuance.rotation.deny
}

objections contains objection if {
	client.profile == "partner"
	some objection in data.issuance.partner.deny
}

objections contains objection if {
	client.profile in {"mcp"}
	some objection in data.issuance.mcp.deny
}

default profile_scopes := set()

profile_scopes := data.issuance.ci.scopes if client.profile == "ci"

profile_scopes := client_scopes if client.profile != "ci"

# What else the client's profile puts into the answer.
default shape := {}

shape := {"consent": sort(granted_scopes)} if {
	client.profile == "authorization_code"
	client.first_party == false
}

shape := {"sender_binding": ["dpop", "mtls"]} if client.profile == "client_credentials"

shape := data.issuance.partner.shape if client.profile == "partner"

shape := data.issuance.mcp.shape if client.profile == "mcp"

default step_up := {}

step_up := {"step_up": data.issuance.authorization_code.wanted} if {
	client.profile == "authorization_code"
	data.issuance.authorization_code.wanted
}
