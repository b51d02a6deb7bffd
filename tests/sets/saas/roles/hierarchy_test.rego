package roles.hierarchy_test

import data.roles.hierarchy

as_person(roles) := {"directory": {"p": {"roles": roles}}}

user := {"subject": {"id": "p"}}

test_inheritance if {
	hierarchy.effective == {"owner", "editor", "commenter", "viewer", "sharer"} with input as user
		with data.directory.people as as_person(["owner"]).directory
}

test_nobody_has_no_roles if {
	hierarchy.effective == set() with input as {"subject": {"id": "nobody"}}
	hierarchy.grants == {} with input as {"subject": {"id": "nobody"}}
}

test_grants[note] if {
	some note, case in {
		"own": {"roles": ["viewer"], "type": "document", "action": "read"},
		"inherited": {"roles": ["editor"], "type": "document", "action": "comment"},
		"any action": {"roles": ["support"], "type": "ticket", "action": "close"},
		"anything": {"roles": ["admin"], "type": "teapot", "action": "brew"},
	}
	hierarchy.granted(case.type, case.action) with input as user
		with data.directory.people as as_person(case.roles).directory
}

test_not_granted[note] if {
	some note, case in {
		"above": {"roles": ["viewer"], "type": "document", "action": "update"},
		"aside": {"roles": ["owner"], "type": "invoice", "action": "read"},
		"none": {"roles": [], "type": "document", "action": "read"},
	}
	not hierarchy.granted(case.type, case.action) with input as user
		with data.directory.people as as_person(case.roles).directory
}

test_via if {
	hierarchy.via("document", "read") == {"viewer"} with input as user
		with data.directory.people as as_person(["owner", "billing"]).directory
}

test_conflicts if {
	hierarchy.conflicts == {["admin", "support"], ["billing", "support"]} with input as user
		with data.directory.people as as_person(["admin", "support"]).directory
	hierarchy.conflicts == set() with input as user
		with data.directory.people as as_person(["admin"]).directory
}
