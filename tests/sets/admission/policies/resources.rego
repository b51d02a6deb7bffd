package policies.resources

import data.config.baseline
import data.lib.kubernetes as k8s
import data.lib.quantity

missing[[container.name, kind, field]] {
	container := k8s.containers[_]
	kind := ["limits", "requests"][_]
	field := ["cpu", "memory"][_]
	not container.resources[kind][field]
}

violation[{"msg": msg}] {
	missing[[name, kind, field]]
	msg := sprintf("container <%s> has no %s for %s", [name, kind, field])
}

violation[{"msg": msg}] {
	container := k8s.containers[_]
	given := quantity.memory(container.resources.limits.memory)
	most := quantity.memory(baseline.limits.memory)
	given > most
	msg := sprintf("container <%s> may take %v bytes, more than %v", [container.name, given, most])
}

violation[{"msg": msg}] {
	container := k8s.containers[_]
	quantity.cpu_millis(container.resources.limits.cpu) > baseline.limits.cpu
	msg := sprintf("container <%s> may take too much of the processor", [container.name])
}

requested[name] = millis {
	container := k8s.containers[_]
	name := container.name
	millis := quantity.cpu_millis(container.resources.requests.cpu)
}

total_millis = sum([millis | millis := requested[_]])

ratio[container.name] = share {
	container := k8s.containers[_]
	share := quantity.cpu_millis(container.resources.limits.cpu) / requested[container.name]
}
