package abac.sensitivity_test

import data.abac.sensitivity

ask(person, document, ip, time) := {
	"subject": {"type": "user", "id": person},
	"resource": {"type": "document", "id": document},
	"context": {"ip": ip, "time": time},
}

noon := "2026-03-03T12:00:00Z"

codes(violations) := {violation.code | some violation in violations}

test_low_is_open if {
	codes(sensitivity.violations) == set() with input as ask("acme-002", "acme-doc-000", "8.8.8.8", noon)
}

test_clearance if {
	"clearance" in codes(sensitivity.violations) with input as ask("acme-000", "acme-doc-003", "192.0.2.1", noon)
}

test_network if {
	codes(sensitivity.violations) == {"network"} with input as ask("acme-004", "acme-doc-003", "8.8.8.8", noon)
		with data.directory.documents["acme-doc-003"].labels as []
}

test_hours if {
	night := "2026-03-03T23:00:00Z"
	question := ask("acme-004", "acme-doc-004", "192.0.2.1", night)
	"hours" in codes(sensitivity.violations) with input as question
	not "hours" in codes(sensitivity.violations) with input as question
		with data.lib.subject.groups as {"acme/on-call"}
}

test_services if {
	question := {"subject": {"type": "service", "id": "s", "properties": {"clearance": 1}}, "resource": {"id": "acme-doc-002"}}
	some violation in sensitivity.violations with input as question
	violation == {"code": "clearance", "needs": 2, "has": 1}
}
