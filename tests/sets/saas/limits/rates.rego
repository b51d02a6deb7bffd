# METADATA
# title: Rates
package limits.rates

import data.catalog.tiers
import data.lib.subject

default tier := "free"

tier := data.directory.tenants[subject.tenant].tier

plan := tiers[tier]

used := object.get(input.context, ["usage", "requests_last_minute"], 0)

default exceeded := false

exceeded if used > plan.requests_per_minute * plan.burst

remaining := max([0, floor((plan.requests_per_minute * plan.burst) - used)])

share := round((used / plan.requests_per_minute) * 1000) / 10

headers["x-ratelimit-limit"] := sprintf("%d", [plan.requests_per_minute])

headers["x-ratelimit-remaining"] := sprintf("%v", [remaining])

headers["x-ratelimit-used"] := sprintf("%v%%", [share])

headers["retry-after"] := "60" if exceeded

allowed_actions := {action | some action in plan.actions}

restricts(action) if {
	plan.actions
	not action in allowed_actions
}

rows(requested) := requested if {
	requested <= plan.export_rows
} else := plan.export_rows
