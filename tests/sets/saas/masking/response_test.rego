package masking.response_test

import data.masking.response

document := {
	"id": "d",
	"title": "Plan",
	"owner": {"id": "acme-009", "email": "nine@acme.example"},
	"cost_centre": "cc-001",
	"audit": {"trail": ["made"]},
	"labels": ["z", "internal", "a", "z"],
}

ask(who) := {"subject": {"type": "user", "id": who}, "resource": {"properties": {"document": document}}}

test_an_engineer if {
	seen := response.document with input as ask("acme-000")
	seen.owner == {"id": "acme-009", "email": "ni…le"}
	seen.cost_centre == "cc…01"
	seen.audit.trail == null
}

test_an_auditor_sees_the_trail if {
	seen := response.document with input as ask("acme-003")
	seen.audit.trail == ["made"]
}

test_own_email if {
	seen := response.document with input as ask("acme-009")
	seen.owner.email == "nine@acme.example"
}

test_summary if {
	seen := response.summary with input as ask("acme-000")
	seen == {"id": "d", "title": "Plan", "owner": {"id": "acme-009"}}
}

test_merged if {
	response.merged == {"kind": "document", "id": "d", "title": "Plan", "labels": ["a", "z"]} with input as ask("acme-000")
}
