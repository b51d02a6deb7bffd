package authz_test

import data.authz

asked(user, action, id, owner) := answer if {
	answer := authz.decision with input as {
		"subject": {"type": "user", "id": user},
		"action": {"name": action},
		"resource": {"type": "order", "id": id, "properties": {"owner": owner}},
	}
}

codes(answer) := {reason.code | some reason in answer.reasons}

kinds(answer) := {obligation.type | some obligation in answer.obligations}

test_owners_see_everything if {
	answer := asked("alice", "read_order", "7", "alice")
	answer.allow
	answer.obligations == []
	asked("alice", "cancel_order", "7", "alice").allow
}

test_support_looks_without_cards if {
	kinds(asked("bob", "read_order", "7", "alice")) == {"hide"}
	kinds(asked("bob", "list_orders", "*", null)) == {"hide"}
	codes(asked("bob", "cancel_order", "7", "alice")) == {"not_your_order"}
}

test_partners_need_consent if kinds(asked("carol", "read_order", "7", "alice")) == {"consent", "hide"}

test_others_see_nothing if {
	codes(asked("mallory", "read_order", "7", "alice")) == {"not_your_order"}
	codes(asked("alice", "list_orders", "*", null)) == {"not_for_customers"}
	codes(asked("bob", "read_order", "8", null)) == {"not_your_order"}
	codes(asked(null, "read_order", "8", null)) == {"not_your_order"}
}
