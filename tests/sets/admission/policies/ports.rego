package policies.ports

import future.keywords.every
import future.keywords.in

import data.config.baseline
import data.lib.kubernetes as k8s

ports[port] {
	port := k8s.object.spec.ports[_].port
	k8s.kind == "Service"
}

ports[port] {
	container := k8s.containers[_]
	port := container.ports[_].containerPort
}

violation[{"msg": msg}] {
	some port in ports
	port in baseline.ports.forbidden
	msg := sprintf("port %d is forbidden", [port])
}

violation[{"msg": msg}] {
	some port in ports
	out_of_range(port)
	not port in {80, 443}
	msg := sprintf("port %d is not between %d and %d", [port, baseline.ports.min, baseline.ports.max])
}

out_of_range(port) {
	port < baseline.ports.min
}

out_of_range(port) {
	port > baseline.ports.max
}

all_named {
	every port in k8s.object.spec.ports {
		port.name
	}
}

by_name[port.name] := port.port {
	some port in k8s.object.spec.ports
}
