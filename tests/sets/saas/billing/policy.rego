package billing.policy

import data.lib.subject
import data.limits.rates

invoice := input.resource.properties

total := sum([(line.quantity * line.price) | some line in invoice.lines])

discount := 0.2 if {
	rates.tier == "enterprise"
} else := 0.1 if {
	total > 1000
} else := 0

due := round(((total * (1 - discount)) * (1 + vat)) * 100) / 100

vat := {"de": 0.19, "fr": 0.2}[invoice.country]

vat := 0 if not invoice.country in {"de", "fr"}

limit := units.parse(object.get(input.context, "limit", "10K"))

deny contains {"code": "limit", "message": sprintf("%.2f is over the limit of %v", [due, limit])} if {
	input.action.name == "pay"
	due > limit
}

deny contains {"code": "currency", "message": message} if {
	currencies := {line.currency | some line in invoice.lines}
	count(currencies) > 1
	message := sprintf("several currencies: %s", [concat(", ", currencies)])
}

deny contains {"code": "own", "message": "nobody approves an own expense"} if {
	input.action.name == "approve"
	invoice.requested_by == subject.id
}
