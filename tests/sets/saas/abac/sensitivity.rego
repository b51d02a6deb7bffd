# METADATA
# title: Sensitivity
# description: What is sensitive needs clearance, a trusted network, and working hours or the on-call group.
package abac.sensitivity

import data.abac.network
import data.lib.clock
import data.lib.subject

document := data.directory.documents[input.resource.id]

default level := 0

level := document.sensitivity

# METADATA
# title: The clearance of a service is written in its properties
clearance := input.subject.properties.clearance if subject.is_service

clearance := subject.person.clearance if not subject.is_service

zones := {"eu": "Europe/Berlin", "us": "America/New_York", "ap": "Asia/Tokyo"}

violations contains {"code": "clearance", "needs": level, "has": clearance} if level > clearance

violations contains {"code": "network", "zone": network.zone} if {
	level >= 3
	network.trust < 2
}

violations contains {"code": "hours"} if {
	level >= 4
	zone := zones[data.directory.tenants[subject.tenant].region]
	not clock.working_hours(zone)
	not on_call
}

on_call if {
	some group in subject.groups
	endswith(group, "/on-call")
}

labels := {label | some label in document.labels}

violations contains {"code": "label", "label": "legal"} if {
	"legal" in labels
	not subject.person.title in {"auditor", "manager"}
}
