package documents.policy_test

import data.documents.policy

ask(who, action, document) := {
	"subject": {"type": "user", "id": who},
	"action": {"name": action},
	"resource": {"type": "document", "id": document},
	"context": {"time": "2026-03-03T12:00:00Z"},
}

test_locked if {
	policy.deny[{"code": "locked", "message": "document acme-doc-000 is locked"}] with input as ask("acme-000", "update", "acme-doc-000")
	count(policy.deny) == 0 with input as ask("acme-000", "read", "acme-doc-000")
}

test_young if {
	some reason in policy.deny with input as ask("acme-001", "delete", "acme-doc-002")
		with data.directory.documents as {"acme-doc-002": {"created": "2026-03-01T08:00:00Z", "labels": []}}
	reason.message == "the document is only 2 days old"
}

test_drafts if {
	{reason.code | some reason in policy.deny} == {"draft"} with input as ask("acme-000", "share", "acme-doc-003")
}

test_related_by_management if {
	policy.related with input as ask("acme-002", "update", "acme-doc-001")
		with data.org.tree.manages as true
}

managed(_, unit) if endswith(unit, "unit-07")

test_related_by_a_mocked_function if {
	policy.related with input as ask("acme-002", "update", "acme-doc-001") with data.org.tree.manages as managed
}

test_public if policy.related with input as ask("globex-000", "read", "acme-doc-002")
