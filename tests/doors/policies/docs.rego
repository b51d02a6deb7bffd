package docs

default decision := {"allow": false, "reasons": [{"code": "not_granted", "message": "nothing grants this"}]}

decision := {"allow": true, "reasons": ["owner"], "obligations": [{"id": "log", "type": "audit"}]} if {
	data.docs_data.owners[input.resource.id] == input.subject.id
}

decision := {"allow": true, "reasons": ["reader"]} if {
	input.action.name == "read"
	data.docs_data.owners[input.resource.id] != input.subject.id
	input.subject.id in data.docs_data.readers[input.resource.id]
}
