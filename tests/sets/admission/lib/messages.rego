package lib.messages

import future.keywords.in

format(message, details) = {"msg": message, "details": details}

format_with_id(id, message) = {"msg": sprintf("%s: %s", [id, message]), "id": id}

join(items) = concat(", ", sort(items)) {
	count(items) > 0
}

join(items) = "none" {
	count(items) == 0
}

ids(violations) = {id |
	some violation in violations
	id := violation.id
}
