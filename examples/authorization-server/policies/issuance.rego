# Which tokens an agent gets for a user: what the user may do, and the agent was made for; if the user has let it act.
package issuance

decision := {
	"allow": count(scopes) > 0,
	"reasons": [{"code": "delegated", "message": "the user has let this agent act"}],
	"context": {"issuance": {
		"scopes": scopes,
		"audience": ["https://tickets.example.com"],
		"token_lifetime": 300,
		"claims": {"tenant": data.users[user].tenant},
	}},
} if {
	delegated
}

decision := {"allow": false, "reasons": ["not_delegated"]} if not delegated

delegated if {
	input.action.name == "issue:access_token:token_exchange"
	input.context.actor.id in data.users[user].agents
}

user := input.subject.id if input.context.party == "subject"

user := input.context.on_behalf_of.id if input.context.party == "actor"

scopes := {scope | some scope in data.users[user].scopes} if input.context.party == "subject"

scopes := {scope | some scope in data.agents[input.subject.id]} if input.context.party == "actor"
