# Attribute-based access to records: tenants are isolated, office hours are kept, and clearance covers sensitivity.
#
# Shows the pattern to copy. Every condition is one rule that is true or undefined; `allow` asks for all of them, and
# `deny` names each one that did not hold. So a missing or mistyped attribute leaves its condition undefined: that
# denies, and says why. It also shows an obligation, and for how long the answer may be reused (`ttl`).
#
# The attributes are what the enforcement point says. If your tokens carry the tenant, compare `input.token` instead.
package abac

decision := {
	"allow": true,
	"reasons": [{
		"code": "attributes_match",
		"message": sprintf("`%s` within tenant `%s`, in office hours, with clearance", [action, tenant]),
		"user_message": "Your clearance allows this.",
	}],
	"obligations": [obligation | some obligation in obligations],
	"ttl": 60,
} if {
	allow
}

decision := {"allow": false, "reasons": deny} if not allow

default allow := false

allow if {
	well_formed
	same_tenant
	action_permitted
	within_office_hours
	cleared
}

deny contains {
	"code": "invalid_question",
	"message": "the question names no subject, or its resource is not a record",
	"user_message": "This request cannot be decided.",
} if {
	not well_formed
}

deny contains {
	"code": "tenant_mismatch",
	"message": sprintf("the subject's tenant `%s` is unknown or not the record's", [tenant]),
	"user_message": "This record belongs to another organisation.",
} if {
	not same_tenant
}

deny contains {
	"code": "action_not_permitted",
	"message": sprintf("`%s` is not an action that this subject may take on this record", [action]),
	"user_message": "You may read this record at most. Its department can change it.",
} if {
	not action_permitted
}

deny contains {
	"code": "outside_hours",
	"message": sprintf("`context.time` is missing, no RFC 3339 time, or outside the hours of tenant `%s`", [tenant]),
	"user_message": "Records are open in office hours only.",
} if {
	not within_office_hours
}

deny contains {
	"code": "insufficient_clearance",
	"message": "the clearance is unknown or below the record's sensitivity",
	"user_message": "Your clearance does not cover this record.",
} if {
	not cleared
}

# What is shown of a sensitive record carries the reader's name.
obligations contains {
	"id": "watermark",
	"type": "watermark",
	"properties": {"text": input.subject.id},
} if {
	input.resource.properties.sensitivity in data.abac.watermarked
}

# The watermark needs the subject's id, so without one there is no answer but deny.
well_formed if {
	is_string(input.subject.id)
	input.subject.id != ""
	input.resource.type == "record"
}

same_tenant if {
	data.abac.tenants[tenant]
	input.resource.properties.tenant == tenant
}

# Anyone in the tenant reads; the department that owns a record also changes it.
action_permitted if action == "read"

action_permitted if {
	action == "update"
	department := input.subject.properties.department
	is_string(department)
	department == input.resource.properties.department
}

# The time is the question's, so that an answer can be tested and repeated. Where the enforcement point's clock is not
# to be trusted, use `time.now_ns()` instead.
within_office_hours if {
	office := data.abac.tenants[tenant]
	is_string(input.context.time)
	regex.match(
		"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
		input.context.time,
	)
	moment := time.parse_rfc3339_ns(input.context.time)
	time.weekday([moment, office.time_zone]) in office.workdays
	[hour, _, _] := time.clock([moment, office.time_zone])
	hour >= office.opens_hour
	hour < office.closes_hour
}

cleared if {
	clearance := data.abac.sensitivity_levels[input.subject.properties.clearance]
	clearance >= data.abac.sensitivity_levels[input.resource.properties.sensitivity]
}

default tenant := ""

tenant := input.subject.properties.tenant if is_string(input.subject.properties.tenant)

default action := ""

action := input.action.name if is_string(input.action.name)
