# Records of a company, as in the AuthZEN working group's search scenario. `data.company.users` and
# `data.company.records` are its directory.
package search

default allow := false

# Ids of records are numbers in the directory, and strings in questions.
records[sprintf("%d", [record.id])] := record if some record in data.company.records

users[user.id] := user if some user in data.company.users

record := records[input.resource.id]

user := users[input.subject.id]

is_owner if record.owner == user.id

is_manager if user.role == "manager"

in_department if user.department == record.department

allow if {
	input.action.name in {"view", "edit", "delete"}
	is_owner
}

allow if {
	input.action.name == "view"
	in_department
}

allow if {
	input.action.name == "view"
	is_manager
	record
}

allow if {
	input.action.name == "edit"
	is_manager
	in_department
}

# The candidates of searches. Verdict decides each of them by the rules above.
subjects contains id if {
	input.subject.type == "user"
	some id, _ in users
}

resources contains id if {
	input.resource.type == "record"
	some id, _ in records
}

actions := ["view", "edit", "delete"]
