package billing.policy_test

import data.billing.policy

ask(who, action, invoice) := {
	"subject": {"type": "user", "id": who},
	"action": {"name": action},
	"resource": {"type": "invoice", "id": "i", "properties": invoice},
	"context": {"limit": "1K"},
}

lines := [{"quantity": 3, "price": 19.99, "currency": "EUR"}, {"quantity": 1, "price": 0.03, "currency": "EUR"}]

test_due[country] if {
	some country, due in {"de": 71.4, "fr": 72, "us": 60}
	policy.due == due with input as ask("globex-000", "pay", {"country": country, "lines": lines})
}

test_enterprise_discount if {
	policy.due == 48 with input as ask("acme-000", "pay", {"country": "us", "lines": lines})
}

test_limit if {
	invoice := {"country": "us", "lines": [{"quantity": 2, "price": 1000.5, "currency": "EUR"}]}
	policy.deny == {{"code": "limit", "message": "1800.90 is over the limit of 1000"}} with input as ask("globex-000", "pay", invoice)
}

test_currencies if {
	invoice := {"country": "us", "lines": array.concat(lines, [{"quantity": 1, "price": 1, "currency": "CHF"}])}
	some reason in policy.deny with input as ask("globex-000", "read", invoice)
	reason.message == "several currencies: CHF, EUR"
}

test_own_expenses if {
	{reason.code | some reason in policy.deny} == {"own"} with input as ask("globex-000", "approve", {"requested_by": "globex-000", "lines": []})
}
