package projects.policy

import data.lib.subject
import data.roles.hierarchy

members[member.id] := member.role if some member in input.resource.properties.members

default role := "none"

role := members[subject.id]

role := "lead" if {
	not members[subject.id]
	input.resource.properties.lead == subject.id
}

rank := {"none": 0, "guest": 1, "member": 2, "lead": 3}

needs(action) := 1 if action in {"read", "list"}

needs(action) := 2 if action in {"update", "comment"}

needs(action) := 3 if action in {"delete", "archive"}

default needs(_) := 4

permitted if rank[role] >= needs(input.action.name)

permitted if hierarchy.granted("project", input.action.name)

deny contains {"code": "archived", "message": "archived projects do not change"} if {
	input.resource.properties.state == "archived"
	needs(input.action.name) > 1
}

deny contains {"code": "no_lead", "message": "somebody must lead"} if {
	input.action.name == "leave"
	role == "lead"
	leads := [id | some id, "lead" in members]
	count(leads) < 2
}
