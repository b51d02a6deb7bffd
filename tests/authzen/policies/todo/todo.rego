# The todo application of the AuthZEN working group's interop scenario. `data.todo.users` is the directory.
package todo

default allow := false

user := data.todo.users[input.subject.id]

is_owner if user.email == input.resource.properties.ownerID

has_role(role) if role in user.roles

allow if {
	input.action.name in {"can_read_user", "can_read_todos"}
	user
}

allow if {
	input.action.name == "can_create_todo"
	some role in {"admin", "editor"}
	has_role(role)
}

allow if {
	input.action.name == "can_update_todo"
	has_role("evil_genius")
}

allow if {
	input.action.name in {"can_update_todo", "can_delete_todo"}
	has_role("editor")
	is_owner
}

allow if {
	input.action.name == "can_delete_todo"
	has_role("admin")
}
