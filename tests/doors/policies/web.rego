package web

default decision := {"allow": false, "reasons": ["not_yours"]}

decision := {"allow": true, "reasons": ["public"]} if {
	startswith(input.resource.id, "/public/")
	input.action.name == "GET"
}

decision := {"allow": true, "reasons": ["own"]} if {
	startswith(input.resource.id, sprintf("/%s/", [input.subject.id]))
	input.action.name in {"GET", "PUT"}
}

decision := {"allow": true, "reasons": ["admin"]} if {
	input.subject.id == "root"
	not startswith(input.resource.id, "/public/")
}
