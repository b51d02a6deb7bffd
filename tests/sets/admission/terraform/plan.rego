# What a Terraform plan changes.
package terraform.plan

changes[address] = change {
	resource := input.resource_changes[_]
	address := resource.address
	change := {"type": resource.type, "actions": resource.change.actions, "after": after(resource)}
	not resource.change.actions == ["no-op"]
}

after(resource) = resource.change.after

created[address] { changes[address].actions[_] == "create" }

deleted[address] { changes[address].actions[_] == "delete" }

replaced = created & deleted

of_type(type) = {address: change.after |
	change := changes[address]
	change.type == type
	change.after != null
}

counts[type] = amount {
	type := changes[_].type
	amount := count([a | changes[a].type == type])
}

modules[module] {
	walk(input.configuration, [path, value])
	path[count(path) - 1] == "source"
	module := value
}
