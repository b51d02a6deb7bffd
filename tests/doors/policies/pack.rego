package pack

default allow := false

allow if input.action.name in {"read", "list"}

allow if input.subject.properties.admin == true

deny contains "blocked" if input.subject.id == "mallory"

deny contains {"code": "sealed", "message": "it is sealed"} if input.resource.properties.sealed == true

reasons contains "no_rule" if not allow
