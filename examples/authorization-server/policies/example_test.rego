package example_test

import data.authz
import data.issuance

asked(party, subject, user) := {
	"subject": {"id": subject},
	"action": {"name": "issue:access_token:token_exchange"},
	"context": {"party": party, "actor": {"id": "support-bot"}, "on_behalf_of": {"id": user}},
}

test_user_and_agent_get_what_they_have if {
	of_alice := issuance.decision with input as asked("subject", "alice", "alice")
	of_alice.allow == true
	of_alice.context.issuance.scopes == {"tickets:read", "tickets:write", "tickets:delete"}
	of_alice.context.issuance.claims == {"tenant": "north"}
	of_bot := issuance.decision with input as asked("actor", "support-bot", "alice")
	of_bot.context.issuance.scopes == {"tickets:read", "tickets:write"}
}

test_an_agent_that_was_not_let_act_gets_nothing if {
	of_bob := issuance.decision with input as asked("subject", "bob", "bob")
	of_bob.allow == false
	for_bob := issuance.decision with input as asked("actor", "support-bot", "bob")
	for_bob.allow == false
}

use(action, jti) := {
	"subject": {"id": "alice"},
	"action": {"name": action},
	"token": {"jti": jti, "scope": ["tickets:read"], "actors": [{"sub": "support-bot"}]},
}

test_a_token_counts_until_something_changes if {
	now := authz.decision with input as use("read", "a")
	now.allow == true
	other := authz.decision with input as use("delete", "a")
	other.reasons == {"scope_missing"}
	withdrawn := authz.decision with input as use("read", "a") with data.users.alice.agents as []
	withdrawn.reasons == {"no_longer_delegated"}
}
