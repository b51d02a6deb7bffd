package terraform.cost

import rego.v1

import data.terraform.plan

# A file of the new language beside old ones, as sets have them while they migrate.
prices := {"aws_instance": {"t3.micro": 8.35, "m5.large": 77.01}, "aws_db_instance": {"db.t3.medium": 59.13}}

estimate[address] := price if {
	some address, change in plan.changes
	"create" in change.actions
	price := prices[change.type][change.after.instance_type]
}

total := sum([price | some price in estimate])

deny contains msg if {
	budget := object.get(input, ["variables", "budget", "value"], 100)
	total > budget
	msg := sprintf("%.2f is over the budget of %v", [total, budget])
}

known(type) if prices[type]

unknown contains change.type if {
	some change in plan.changes
	not known(change.type)
}
