# A person signs in to an application: authorization code (RFC 6749 §4.1), and the refresh tokens that follow.
#
# A code without PKCE can be stolen on its way, so S256 is asked for (RFC 9700 §2.1.1). What costs money needs a fresh
# authentication with a second factor (RFC 9470); other parties' applications need the person's consent.
package issuance.authorization_code

deny contains {
	"code": "grant_not_allowed",
	"message": "this client gets tokens by an authorization code, and by refreshing them",
	"user_message": "This application has to sign you in.",
} if {
	not grant_allowed
}

deny contains {
	"code": "pkce_missing",
	"message": "the code was not bound to the client by PKCE with S256 (`context.code_challenge_method`)",
	"user_message": "This application has to be updated.",
} if {
	grant == "authorization_code"
	not input.context.code_challenge_method == "S256"
}

deny contains {
	"code": "subject_not_allowed",
	"message": "this client gets tokens for users only",
	"user_message": "This application has to sign you in.",
} if {
	not input.subject.type == "user"
}

grant_allowed if grant in {"authorization_code", "refresh_token"}

grant := split(input.action.name, ":")[2]

# The authentication that the scopes ask for: Verdict compares it with the one that there was.
wanted := demands[0] if count(demands) > 0

demands := [demand |
	some scope in input.resource.properties.scopes
	demand := data.issuance.sensitive_scopes[scope]
]
