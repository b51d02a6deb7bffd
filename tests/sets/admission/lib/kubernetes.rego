package lib.kubernetes

default is_gatekeeper = false

is_gatekeeper {
	has_field(input, "review")
	has_field(input.review, "object")
}

object = input {
	not is_gatekeeper
}

object = input.review.object {
	is_gatekeeper
}

operation = input.review.operation

default gatekeeper_parameters = {}

gatekeeper_parameters = input.parameters

kind = object.kind

name = object.metadata.name

default namespace = "default"

namespace = object.metadata.namespace

has_field(obj, field) {
	not object_get(obj, field, "N_DEFINED") == "N_DEFINED"
}

object_get(obj, field, _) = out {
	out = obj[field]
}

object_get(obj, field, missing) = out {
	not obj[field]
	not obj[field] == false
	out = missing
}

workload_kinds = {"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job"}

pods[pod] {
	workload_kinds[kind]
	pod = object.spec.template
}

pods[pod] {
	kind == "Pod"
	pod = object
}

pods[pod] {
	kind == "CronJob"
	pod = object.spec.jobTemplate.spec.template
}

containers[container] {
	pods[pod]
	all_containers = pod_containers(pod)
	container = all_containers[_]
}

pod_containers(pod) = all_containers {
	keys = {"containers", "initContainers", "ephemeralContainers"}
	all_containers = [c | keys[k]; c = pod.spec[k][_]]
}

volumes[volume] {
	pods[pod]
	volume = pod.spec.volumes[_]
}

labels = object.metadata.labels

annotations[key] = value {
	value := object.metadata.annotations[key]
}

dropped_capability(container, cap) {
	lower(container.securityContext.capabilities.drop[_]) == lower(cap)
}

added_capability(container, cap) {
	lower(container.securityContext.capabilities.add[_]) == lower(cap)
}
