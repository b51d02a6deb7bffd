# Tests of the attribute-based example, on the data beside it. 2026-03-03 is a Tuesday.
package abac_test

import data.abac

test_allows_reading_within_tenant_hours_and_clearance if {
	answer := abac.decision with input as question
	answer.allow == true
	answer.ttl == 60
	answer.obligations == []
	codes(answer) == {"attributes_match"}
}

test_obliges_to_watermark_a_sensitive_record if {
	answer := abac.decision with input as changed({
		"subject": {"properties": {"clearance": "secret"}},
		"resource": {"properties": {"sensitivity": "confidential"}},
	})
	answer.allow == true
	answer.obligations == [{"id": "watermark", "type": "watermark", "properties": {"text": "erin"}}]
}

test_allows_its_department_to_update if {
	answer := abac.decision with input as changed({"action": {"name": "update"}})
	answer.allow == true
}

test_denies_another_department_to_update if {
	codes_of(changed({
		"action": {"name": "update"},
		"subject": {"properties": {"department": "sales"}},
	})) == {"action_not_permitted"}
}

test_denies_to_update_where_no_department_is_known if {
	codes_of(changed({
		"action": {"name": "update"},
		"subject": {"properties": {"department": null}},
		"resource": {"properties": {"department": null}},
	})) == {"action_not_permitted"}
}

test_denies_an_unknown_action if {
	codes_of(changed({"action": {"name": "delete"}})) == {"action_not_permitted"}
}

test_denies_another_tenants_record if {
	codes_of(changed({"resource": {"properties": {"tenant": "globex"}}})) == {"tenant_mismatch"}
}

test_denies_a_tenant_that_nobody_registered if {
	codes_of(changed({
		"subject": {"properties": {"tenant": "initech"}},
		"resource": {"properties": {"tenant": "initech"}},
	})) == {"tenant_mismatch", "outside_hours"}
}

test_denies_when_both_tenants_are_null if {
	codes_of(changed({
		"subject": {"properties": {"tenant": null}},
		"resource": {"properties": {"tenant": null}},
	})) == {"tenant_mismatch", "outside_hours"}
}

test_keeps_the_hours_of_the_tenants_time_zone if {
	# 08:00 and 18:00 in Berlin are 07:00 and 17:00 UTC in winter, 06:00 and 16:00 UTC in summer.
	open_at("2026-03-03T07:00:00Z")
	open_at("2026-03-03T16:59:59Z")
	open_at("2026-03-03T08:00:00+01:00")
	open_at("2026-03-03T16:59:59.999Z")
	open_at("2026-07-07T06:00:00Z")
	closed_at("2026-03-03T06:59:59Z")
	closed_at("2026-03-03T17:00:00Z")
	closed_at("2026-03-03T18:00:00+01:00")
	closed_at("2026-07-07T16:00:00Z")
}

test_closes_on_weekends if {
	closed_at("2026-03-07T10:00:00Z")
	closed_at("2026-03-08T10:00:00Z")
}

test_denies_when_the_time_is_no_rfc3339_time if {
	every dirty in [
		"", "now", "10:00", "2026-03-03", "2026-03-03 10:00:00Z", "2026-03-03t10:00:00z", "2026-03-03T10:00:00",
		"2026-03-03T10:00:00Z\n", "2026-02-30T10:00:00Z", "2026-03-03T25:00:00Z",
		1772532000, null, true, ["2026-03-03T10:00:00Z"], {},
	] {
		closed_at(dirty)
	}
}

test_denies_when_the_time_is_missing if {
	codes_of(json.remove(question, ["context/time"])) == {"outside_hours"}
	codes_of(json.remove(question, ["context"])) == {"outside_hours"}
}

test_denies_a_clearance_below_the_sensitivity if {
	codes_of(changed({"resource": {"properties": {"sensitivity": "secret"}}})) == {"insufficient_clearance"}
}

test_denies_unknown_levels if {
	codes_of(changed({"subject": {"properties": {"clearance": "cosmic"}}})) == {"insufficient_clearance"}
	codes_of(changed({"resource": {"properties": {"sensitivity": "cosmic"}}})) == {"insufficient_clearance"}
	codes_of(changed({"subject": {"properties": {"clearance": 99}}})) == {"insufficient_clearance"}
	codes_of(changed({"resource": {"properties": {"sensitivity": null}}})) == {"insufficient_clearance"}
}

test_names_every_cause if {
	codes_of({}) == {
		"invalid_question", "tenant_mismatch", "action_not_permitted", "outside_hours",
		"insufficient_clearance",
	}
}

test_denies_a_question_about_something_else if {
	codes_of(changed({"resource": {"type": "document"}})) == {"invalid_question"}
	codes_of(changed({"subject": {"id": ""}})) == {"invalid_question"}
}

test_denies_when_any_part_is_missing if {
	every path in [
		"subject", "subject/id", "subject/properties", "subject/properties/tenant",
		"subject/properties/clearance",
		"action", "action/name",
		"resource", "resource/type", "resource/properties", "resource/properties/tenant",
		"resource/properties/sensitivity",
		"context", "context/time",
	] {
		denied_with_reason(json.remove(question, [path]))
	}
}

test_denies_dirty_input if {
	every dirty in [
		{},
		{"subject": null, "action": null, "resource": null, "context": null},
		{"subject": "erin", "action": "read", "resource": "record", "context": "now"},
		changed({"subject": {"properties": []}}),
		changed({"resource": {"properties": "acme"}}),
		changed({"subject": {"properties": {"tenant": ["acme"]}}}),
		changed({"resource": {"properties": {"tenant": ["acme"]}}}),
		changed({"action": {"name": ["read"]}}),
		changed({"context": []}),
	] {
		denied_with_reason(dirty)
	}
}

question := {
	"subject": {
		"type": "user",
		"id": "erin",
		"properties": {"tenant": "acme", "clearance": "internal", "department": "finance"},
	},
	"action": {"name": "read"},
	"resource": {
		"type": "record",
		"id": "invoice-7",
		"properties": {"tenant": "acme", "sensitivity": "internal", "department": "finance"},
	},
	"context": {"time": "2026-03-03T10:00:00Z"},
}

changed(members) := object.union(question, members)

codes(answer) := {reason.code | some reason in answer.reasons}

codes_of(asked) := codes(answer) if {
	answer := abac.decision with input as asked
	answer.allow == false
}

open_at(moment) if {
	answer := abac.decision with input as changed({"context": {"time": moment}})
	answer.allow == true
}

closed_at(moment) if codes_of(changed({"context": {"time": moment}})) == {"outside_hours"}

denied_with_reason(asked) if {
	answer := abac.decision with input as asked
	answer.allow == false
	count(answer.reasons) > 0
}
