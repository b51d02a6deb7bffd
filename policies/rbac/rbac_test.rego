# Tests of the role-based example, on the data beside it.
package rbac_test

import data.rbac

test_allows_what_the_own_role_grants if {
	answer := rbac.decision with input as question("alice", "update")
	answer.allow == true
	codes(answer) == {"role_grants_action"}
}

test_allows_what_an_inherited_role_grants if {
	answer := rbac.decision with input as question("alice", "read")
	answer == {"allow": true, "reasons": {{
		"code": "role_grants_action",
		"message": "role `viewer` grants `read` on `document`",
		"user_message": "Your role allows this.",
	}}}
}

test_inherits_over_two_steps if {
	every name in ["read", "update", "delete"] {
		answer := rbac.decision with input as question("carol", name)
		answer.allow == true
	}
}

test_gives_a_reason_for_each_role_that_grants if {
	answer := rbac.decision with input as question("erin", "read")
		with data.rbac.user_roles as {"erin": ["viewer", "auditor"]}
		with data.rbac.role_inherits as {"viewer": [], "auditor": []}
		with data.rbac.role_grants as {"viewer": {"document": ["read"]}, "auditor": {"document": ["read"]}}
	answer.allow == true
	count(answer.reasons) == 2
}

test_survives_roles_that_inherit_each_other if {
	answer := rbac.decision with input as question("erin", "read")
		with data.rbac.user_roles as {"erin": ["a"]}
		with data.rbac.role_inherits as {"a": ["b"], "b": ["a"]}
		with data.rbac.role_grants as {"b": {"document": ["read"]}}
	answer.allow == true
}

test_denies_what_no_role_grants if {
	answer := rbac.decision with input as question("bob", "delete")
	answer == {"allow": false, "reasons": {{
		"code": "no_role_grants_action",
		"message": "no role of user `bob` grants `delete` on `document`",
		"user_message": "Your role does not allow this.",
	}}}
}

test_denies_a_user_whose_roles_are_empty if {
	answer := rbac.decision with input as question("dave", "read")
	answer.allow == false
	codes(answer) == {"no_role_grants_action"}
}

test_denies_an_unknown_user if {
	answer := rbac.decision with input as question("mallory", "read")
	answer.allow == false
	codes(answer) == {"unknown_subject"}
}

test_denies_an_agent_with_the_name_of_a_user if {
	asked := object.union(question("alice", "read"), {"subject": {"type": "agent"}})
	answer := rbac.decision with input as asked
	answer.allow == false
	codes(answer) == {"unknown_subject"}
}

test_denies_another_type_of_resource if {
	asked := object.union(question("carol", "read"), {"resource": {"type": "vault"}})
	answer := rbac.decision with input as asked
	answer.allow == false
	codes(answer) == {"no_role_grants_action"}
}

test_ignores_roles_that_the_question_claims if {
	asked := object.union(question("bob", "delete"), {"subject": {"properties": {"roles": ["admin"]}}})
	answer := rbac.decision with input as asked
	answer.allow == false
}

test_denies_a_role_that_inheritance_does_not_list if {
	answer := rbac.decision with input as question("bob", "read")
		with data.rbac.role_inherits as {}
	answer.allow == false
	codes(answer) == {"no_role_grants_action"}
}

test_denies_when_any_part_is_missing if {
	every path in [
		"subject", "subject/type", "subject/id", "action", "action/name", "resource", "resource/type",
	] {
		denied_with_reason(json.remove(question("alice", "read"), [path]))
	}
}

test_denies_dirty_input if {
	every dirty in [
		{},
		{"subject": null, "action": null, "resource": null, "context": null},
		{"subject": "alice", "action": "read", "resource": "document"},
		{"subject": ["alice"], "action": ["read"], "resource": ["document"]},
		object.union(question("alice", "read"), {"subject": {"id": null}}),
		object.union(question("alice", "read"), {"subject": {"id": ["alice"]}}),
		object.union(question("alice", "read"), {"subject": {"id": {"alice": true}}}),
		object.union(question("alice", "read"), {"subject": {"id": ""}}),
		object.union(question("alice", "read"), {"action": {"name": true}}),
		object.union(question("alice", "read"), {"action": {"name": ["read"]}}),
		object.union(question("alice", "read"), {"resource": {"type": 1}}),
	] {
		denied_with_reason(dirty)
	}
}

question(user, action) := {
	"subject": {"type": "user", "id": user},
	"action": {"name": action},
	"resource": {"type": "document", "id": "handbook"},
	"context": {},
}

codes(answer) := {reason.code | some reason in answer.reasons}

denied_with_reason(asked) if {
	answer := rbac.decision with input as asked
	answer.allow == false
	count(answer.reasons) > 0
}
