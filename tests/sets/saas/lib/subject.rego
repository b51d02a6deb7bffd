# METADATA
# title: The subject
# description: The person who asks, as the directory knows them.
package lib.subject

id := input.subject.id

default known := false

known if data.directory.people[id]

person := data.directory.people[id]

tenant := person.tenant

default active := false

active if {
	person.active
	data.directory.tenants[tenant].status == "active"
}

is_service if input.subject.type == "service"

groups contains group if some group in person.groups

groups contains concat("/", [tenant, "everyone"]) if known

display := $"{id} of {tenant}" if known

display := sprintf("unknown %s", [id]) if not known
