# METADATA
# title: Audit
# description: What is written down of a decision.
# related_resources:
#   - https://docs.example/audit
package audit.record

import data.authz.main
import data.lib.strings
import data.lib.subject
import data.routes.matching

severity := "high" if {
	"tenant" in codes
} else := "medium" if {
	count(codes) > 0
} else := "low"

codes := {reason.code | some reason in main.deny}

entry["who"] := subject.display

entry["what"] := concat(" ", [input.action.name, input.resource.type, input.resource.id])

entry["route"] := matching.route.id

entry["codes"] := sort(codes)

entry["severity"] := severity

entry["fingerprint"] := crypto.sha256(json.marshal([input.subject.id, input.action.name, input.resource.id]))

line := $"{entry.severity}: {entry.who} {entry.what} -> {main.allow} ({strings.plural(count(codes), `reason`, `reasons`)})"

old_line := sprintf("%-6s|%s|%v", [entry.severity, entry.what, main.allow])
