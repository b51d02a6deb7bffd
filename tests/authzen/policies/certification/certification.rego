# The fixture of the AuthZEN working group's certification scenario ("Required Fixture").
package certification

default allow := false

# What the question says of an entity goes before what the directory says.
role := object.get(input.subject.properties, "role", directory_role)

default directory_role := ""

directory_role := data.certification.users[input.subject.id].role

status := object.get(input.resource.properties, "status", directory_status)

default directory_status := "unknown"

directory_status := data.certification.records[input.resource.id].status

is_user if {
	input.subject.type == "user"
	data.certification.users[input.subject.id]
}

is_record if {
	input.resource.type == "record"
	data.certification.records[input.resource.id]
}

allow if {
	is_user
	is_record
	input.action.name == "read"
}

allow if {
	is_user
	is_record
	input.action.name == "write"
	input.subject.id == "alice"
	status == "active"
}

allow if {
	is_user
	is_record
	input.action.name == "write"
	role == "admin"
	status == "archived"
}

allow if {
	is_user
	is_record
	input.action.name == "delete"
	input.subject.id == "alice"
	input.action.properties.soft == true
}

subjects contains id if {
	input.subject.type == "user"
	some id, _ in data.certification.users
}

resources contains id if {
	input.resource.type == "record"
	some id, _ in data.certification.records
}

actions := ["read", "write", "delete"]
