# Another company's service: one narrow scope, until the contract ends, with a token that is bound to its key and says
# whose it is. If the authorization server cannot put that claim into the token, it must not issue it (`crit`).
package issuance.partner

deny contains {
	"code": "grant_not_allowed",
	"message": "this client gets tokens by client credentials only",
	"user_message": "This service is not set up for that.",
} if {
	not split(input.action.name, ":")[2] == "client_credentials"
}

deny contains {
	"code": "subject_not_allowed",
	"message": "this client gets tokens for itself only",
	"user_message": "This service is not set up for that.",
} if {
	not data.issuance.client_credentials.own_token
}

deny contains {
	"code": "contract_ended",
	"message": "the contract with this partner has ended, or does not say until when it runs",
	"user_message": "The agreement for this access has ended.",
} if {
	not contract_runs
}

deny contains {
	"code": "too_many_scopes",
	"message": "a partner asks for one scope at a time",
	"user_message": "Ask for one thing at a time.",
} if {
	not count(input.resource.properties.scopes) == 1
}

contract_runs if time.now_ns() < time.parse_rfc3339_ns(data.issuance.clients[input.context.client.id].valid_until)

shape := {
	"sender_binding": ["dpop", "mtls"],
	"claims": {"partner": input.context.client.id},
	"crit": ["partner"],
}
