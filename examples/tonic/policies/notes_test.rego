package authz_test

import data.authz

asked(user, action, type, id) := answer if {
	answer := authz.decision with input as {
		"subject": {"type": "user", "id": user},
		"action": {"name": action},
		"resource": {"type": type, "id": id},
	}
}

codes(answer) := {reason.code | some reason in answer.reasons}

test_roles_grant_methods if {
	asked("alice", "DeleteNote", "service", "notes.v1.NotesService").allow
	asked("bob", "GetNote", "service", "notes.v1.NotesService").allow
	answer := asked("bob", "DeleteNote", "service", "notes.v1.NotesService")
	answer.allow == false
	codes(answer) == {"method_not_allowed"}
	codes(asked("mallory", "GetNote", "service", "notes.v1.NotesService")) == {"method_not_allowed"}
}

test_private_notes_are_their_owners if {
	asked("alice", "read", "note", "diary").allow
	asked("alice", "read", "note", "recipe").allow
	codes(asked("bob", "read", "note", "diary")) == {"note_not_readable"}
	codes(asked("bob", "read", "note", "none")) == {"note_not_readable"}
}

test_anything_else_is_unknown if {
	codes(asked("alice", "GetNote", "cat", "tom")) == {"unknown_resource_type"}
}
