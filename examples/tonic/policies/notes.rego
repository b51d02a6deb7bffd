# Who may call which method of the notes service, and who may read which note.
#
# The layer asks the first before each call; the service asks the second, since only it knows the note.
package authz

decision := {"allow": true, "reasons": ["may"]} if allow

decision := {"allow": false, "reasons": deny} if not allow

default allow := false

allow if may_call

allow if may_read

# The layer's question: the method and the service.
may_call if {
	input.resource.type == "service"
	input.action.name in data.authz.methods[role]
}

# The service's question: a note. One that is private is its owner's alone.
may_read if {
	input.resource.type == "note"
	input.action.name == "read"
	note := data.authz.notes[input.resource.id]
	open_to(note)
}

open_to(note) if not note.private

open_to(note) if note.owner == input.subject.id

deny contains {"code": "method_not_allowed", "user_message": "Your role does not allow this."} if {
	input.resource.type == "service"
	not may_call
}

deny contains {"code": "note_not_readable", "user_message": "This note is not for you."} if {
	input.resource.type == "note"
	not may_read
}

deny contains {"code": "unknown_resource_type"} if not input.resource.type in {"note", "service"}

role := data.authz.roles[input.subject.id]
