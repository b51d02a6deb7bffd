package terraform.cost_test

import rego.v1

import data.terraform.cost

plan(sizes) := {"resource_changes": [change |
	some i, size in sizes
	change := {
		"address": sprintf("i[%d]", [i]),
		"type": "aws_instance",
		"change": {"actions": ["create"], "after": {"instance_type": size}},
	}
]}

test_total if {
	cost.total == 85.36 with input as plan(["t3.micro", "m5.large"])
	cost.total == 0 with input as plan(["unheard-of"])
}

test_deny if {
	cost.deny == {"154.02 is over the budget of 100"} with input as plan(["m5.large", "m5.large"])
	count(cost.deny) == 0 with input as object.union(plan(["m5.large", "m5.large"]), {"variables": {"budget": {"value": 200}}})
}

test_unknown if {
	cost.unknown == {"azurerm_vm"} with data.terraform.plan.changes as {"a": {"type": "azurerm_vm", "actions": []}, "b": {"type": "aws_instance"}}
}
