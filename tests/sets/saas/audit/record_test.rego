package audit.record_test

import data.audit.record

question := {
	"subject": {"type": "user", "id": "acme-000"},
	"action": {"name": "read"},
	"resource": {"type": "document", "id": "acme-doc-000"},
	"context": {"ip": "192.0.2.1", "time": "2026-03-03T12:00:00Z"},
}

test_entry if {
	entry := record.entry with input as question with data.authz.main.deny as {{"code": "tenant"}, {"code": "role"}}
	entry.codes == ["role", "tenant"]
	entry.severity == "high"
	entry.who == "acme-000 of acme"
	not entry.route
	count(entry.fingerprint) == 64
}

test_line if {
	record.line == "low: acme-000 of acme read document acme-doc-000 -> true (0 reasons)" with input as question
		with data.authz.main.deny as set()
		with data.authz.main.allow as true
}

test_old_line if {
	record.old_line == "medium|read document acme-doc-000|false" with input as question
		with data.authz.main.deny as {{"code": "x"}}
		with data.authz.main.allow as false
}
