package projects.policy_test

import data.projects.policy

ask(action, properties) := {
	"subject": {"type": "user", "id": "p"},
	"action": {"name": action},
	"resource": {"type": "project", "id": "x", "properties": properties},
}

member(role) := {"members": [{"id": "q", "role": "lead"}, {"id": "p", "role": role}]}

test_permitted[note] if {
	some note, case in {
		"guests read": ["read", member("guest")],
		"members comment": ["comment", member("member")],
		"leads archive": ["archive", member("lead")],
		"the lead who is no member": ["delete", {"lead": "p", "members": []}],
	}
	policy.permitted with input as ask(case[0], case[1])
}

test_not_permitted[note] if {
	some note, case in {
		"guests do not write": ["update", member("guest")],
		"unknown actions need more than there is": ["explode", member("lead")],
		"strangers": ["read", {"members": []}],
	}
	not policy.permitted with input as ask(case[0], case[1])
}

test_archived if {
	{reason.code | some reason in policy.deny} == {"archived"} with input as ask("update", {"state": "archived"})
}

test_last_lead if {
	count(policy.deny) == 1 with input as ask("leave", {"members": [{"id": "p", "role": "lead"}]})
	count(policy.deny) == 0 with input as ask("leave", member("lead"))
}
