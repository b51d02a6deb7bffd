# An agent acts for a user: token exchange (RFC 8693).
#
# Verdict asks twice, about the user and about the agent, and grants what both may do; so an agent has never more than
# its user, nor than it was made for. Whom an agent may act for is the user's own word, and each agent in a chain is
# known by name.
package issuance.agent

deny contains {
	"code": "grant_not_allowed",
	"message": "this client gets tokens by token exchange only",
	"user_message": "This agent cannot act on its own.",
} if {
	not split(input.action.name, ":")[2] == "token_exchange"
}

deny contains {
	"code": "no_user",
	"message": "the agent acts for nobody: the token would not stand for a user",
	"user_message": "This agent cannot act on its own.",
} if {
	not user
}

deny contains {
	"code": "not_delegated",
	"message": "the user has not let this agent act",
	"user_message": "You have not allowed this agent to act for you.",
} if {
	user
	not delegated
}

deny contains {
	"code": "unknown_actor",
	"message": sprintf("`%s` in the chain of actors is no agent that is known", [actor.id]),
	"user_message": "This agent is not registered.",
} if {
	some actor in input.context.actors
	not data.issuance.agent_rights[actor.id]
}

deny contains {
	"code": "may_act_mismatch",
	"message": "the user's token says that another may act (`may_act`)",
	"user_message": "You have not allowed this agent to act for you.",
} if {
	not may_act
}

# A token without the claim says nothing about it; the user's own word does.
may_act if object.get(input.context, "may_act", "nobody said") == "nobody said"

may_act if input.context.may_act.sub == input.context.actor.id

# In both questions: the one about the user and the one about the agent.
user := input.subject.id if {
	input.context.party == "subject"
	input.subject.type == "user"
}

user := input.context.on_behalf_of.id if {
	input.context.party == "actor"
	input.context.on_behalf_of.type == "user"
}

delegated if input.context.actor.id in data.issuance.user_rights[user].agents
