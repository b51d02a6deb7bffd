# A service gets a token for itself: client credentials (RFC 6749 §4.4).
#
# A shared secret can leak from any place that holds it, so that the client has to prove possession of a key, and the
# token is bound to one (RFC 9449, RFC 8705): who steals the token alone has nothing.
package issuance.client_credentials

deny contains {
	"code": "grant_not_allowed",
	"message": "this client gets tokens by client credentials only",
	"user_message": "This service is not set up for that.",
} if {
	not split(input.action.name, ":")[2] == "client_credentials"
}

deny contains {
	"code": "authentication_too_weak",
	"message": "the client did not prove possession of a key",
	"user_message": "This service is not set up for that.",
} if {
	not key_proven
}

deny contains {
	"code": "subject_not_allowed",
	"message": "this client gets tokens for itself only",
	"user_message": "This service is not set up for that.",
} if {
	not own_token
}

key_proven if {
	input.context.client.authentication_method in {
		"private_key_jwt",
		"tls_client_auth",
		"self_signed_tls_client_auth",
	}
}

own_token if {
	input.subject.type == "client"
	input.subject.id == input.context.client.id
}
