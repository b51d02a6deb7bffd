# Token issuance: which scopes, audience and lifetime an authorization server may put into a token for a client.
#
# Shows an answer that narrows: the scopes that the client was granted come back in `context.granted_scopes`, and the
# authorization server issues those and no others. Audience and lifetime are not narrowed but refused, since a client
# that got less than it asked for would find out too late.
#
# The question: the subject is the client (`type` "client"), the action is `issue`, the resource is the token (`type`
# "token", `id` "access_token" or "refresh_token") with `properties` `scopes` (an array of strings), `audience` (one
# string) and `lifetime_seconds`. Whether a client is an agent is what its registration in data.json says, not what the
# question says.
package issuance

decision := {
	"allow": true,
	"reasons": granted,
	"context": {
		"granted_scopes": sort(granted_scopes),
		"audience": audience,
		"lifetime_seconds": lifetime,
	},
} if {
	allow
}

decision := {"allow": false, "reasons": deny} if not allow

default allow := false

allow if {
	issue_asked
	client_known
	scope_granted
	audience_allowed
	token_kind_allowed
	lifetime_allowed
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
	"message": "the question is not about the action `issue` on a resource of type `token`",
	"user_message": "This request cannot be decided.",
} if {
	not issue_asked
}

deny contains {
	"code": "unknown_client",
	"message": sprintf("there is no client `%s`", [client_id]),
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
	"message": sprintf("client `%s` gets no token for the audience `%s`", [client_id, audience]),
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

deny contains {
	"code": "lifetime_exceeds_ceiling",
	"message": sprintf("the lifetime is not a whole number from 1 to %d seconds", [ceiling_seconds]),
	"user_message": "This application asked for access for too long.",
	"ceiling_seconds": ceiling_seconds,
} if {
	token_kind_allowed
	not lifetime_allowed
}

issue_asked if {
	input.action.name == "issue"
	input.resource.type == "token"
}

client_known if is_object(client)

scope_granted if count(granted_scopes) > 0

# An audience is compared as a whole, so a token is for one service.
audience_allowed if {
	audience != ""
	audience in client.audiences
}

# Without a ceiling for this kind of client and token there is no such token: that is how agents get no refresh token.
token_kind_allowed if is_number(ceiling_seconds)

lifetime_allowed if {
	lifetime >= 1
	floor(lifetime) == lifetime
	lifetime <= ceiling_seconds
}

granted_scopes := asked_scopes & grantable_scopes

refused_scopes := asked_scopes - grantable_scopes

# With a token that Verdict verified (token exchange, RFC 8693), the new one never carries more than the old.
grantable_scopes := client_scopes if not input.token

grantable_scopes := client_scopes & {scope | some scope in input.token.scope} if {
	is_array(input.token.scope)
}

client_scopes := {scope | some scope in client.scopes}

asked_scopes := {scope | some scope in input.resource.properties.scopes} if {
	is_array(input.resource.properties.scopes)
}

ceiling_seconds := data.issuance.lifetime_ceilings_seconds[client.kind][token_kind]

client := data.issuance.clients[client_id]

default client_id := ""

client_id := input.subject.id if {
	input.subject.type == "client"
	is_string(input.subject.id)
}

default audience := ""

audience := input.resource.properties.audience if is_string(input.resource.properties.audience)

default token_kind := ""

token_kind := input.resource.id if is_string(input.resource.id)

# 0 is refused, so that a lifetime which is missing or no number is.
default lifetime := 0

lifetime := input.resource.properties.lifetime_seconds if is_number(input.resource.properties.lifetime_seconds)
