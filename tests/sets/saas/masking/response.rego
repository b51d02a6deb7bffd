# METADATA
# title: Masking
# description: What of a document the caller may see, as a JSON Patch for the gateway and as the patched document.
package masking.response

import data.lib.strings
import data.lib.subject
import data.roles.hierarchy

hidden contains ["cost_centre"] if not hierarchy.granted("invoice", "read")

hidden contains ["audit", "trail"] if subject.person.title != "auditor"

hidden contains ["owner", "email"] if {
	input.resource.properties.document.owner.id != subject.id
}

exists(path) if object.get(input.resource.properties.document, path, null) != null

patch := [operation |
	some path in hidden
	exists(path)
	operation := {"op": "replace", "path": concat("/", array.concat([""], path)), "value": masked(path)}
]

masked(path) := strings.mask(value) if {
	value := object.get(input.resource.properties.document, path, null)
	is_string(value)
} else := null

document := json.patch(input.resource.properties.document, patch)

summary := json.filter(document, ["/id", "/title", "/owner/id"])

public := json.remove(input.resource.properties.document, {"owner", "audit", "cost_centre"})

merged := object.union_n([{"kind": "document"}, public, {"labels": labels}])

labels := sort({label | some label in input.resource.properties.document.labels; label != "internal"})
