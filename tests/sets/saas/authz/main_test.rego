package authz.main_test

import data.authz.main

base := {
	"subject": {"type": "user", "id": "acme-002"},
	"action": {"name": "read"},
	"resource": {"type": "document", "id": "acme-doc-002"},
	"context": {"ip": "10.0.1.2", "time": "2026-03-03T12:00:00Z"},
}

ask(changes) := object.union(base, changes)

codes(reasons) := {reason.code | some reason in reasons}

test_allow if main.allow with input as base

test_nothing_is_allowed_to_nobody if {
	not main.allow with input as {}
	not main.allow with input as ask({"subject": {"id": "nobody"}})
}

test_reasons[code] if {
	some code, changes in {
		"tenant": {"resource": {"id": "globex-doc-002"}},
		"inactive": {"subject": {"id": "acme-016"}},
		"blocked": {"context": {"ip": "198.51.100.7"}},
		"rate": {"context": {"usage": {"requests_last_minute": 15001}}},
		"clearance": {"resource": {"id": "acme-doc-004"}},
		"token": {"context": {"authorization": "Bearer nonsense"}},
		"locked": {"resource": {"id": "acme-doc-013"}, "action": {"name": "update"}},
	}
	not main.allow with input as ask(changes)
	code in codes(main.deny) with input as ask(changes)
}

test_public_routes if {
	main.allow with input as ask({"context": {"http": {"method": "GET", "path": "/health/live"}}})
}

test_plan if {
	question := {"subject": {"id": "nobody"}, "action": {"name": "update"}, "resource": {"type": "note", "id": "n"}}
	"plan" in codes(main.deny) with input as question
}

test_decision if {
	decision := main.answer with input as base
	decision.allow == true
	decision.reasons == []
	decision.obligations == {{"id": "log", "severity": "low"}}
}

test_obligation_to_mask if {
	document := {"cost_centre": "cc-12345", "owner": {"id": "acme-002"}}
	decision := main.answer with input as ask({"resource": {"properties": {"document": document}}})
	some obligation in decision.obligations
	obligation == {"id": "mask", "patch": [{"op": "replace", "path": "/cost_centre", "value": "cc…45"}]}
}
