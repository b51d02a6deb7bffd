package lib.subject_test

import data.lib.subject

alice := {"subject": {"type": "user", "id": "acme-000"}}

test_known if subject.known with input as alice

test_unknown_is_not_active if {
	not subject.active with input as {"subject": {"type": "user", "id": "nobody"}}
}

test_suspended_tenants_are_not_active if {
	not subject.active with input as {"subject": {"type": "user", "id": "umbrella-000"}}
}

test_active if subject.active with input as alice

test_groups if subject.groups == {"acme/team-0", "acme/on-call", "acme/everyone"} with input as alice

test_display if {
	subject.display == "acme-000 of acme" with input as alice
	subject.display == "unknown x" with input as {"subject": {"type": "user", "id": "x"}}
}

test_own_directory if {
	subject.tenant == "t" with input as {"subject": {"id": "p"}}
		with data.directory as {"people": {"p": {"tenant": "t"}}}
}
