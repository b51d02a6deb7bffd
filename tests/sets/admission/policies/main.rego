# The admission controller asks this: all policies, whatever their package.
package policies.main

import data.lib.exemptions
import data.lib.kubernetes as k8s
import data.policies

names = {"images", "security_context", "resources", "labels", "ingress", "ports", "volumes", "rbac", "network"}

deny[msg] {
	not exemptions.namespace_exempt
	names[name]
	violation := policies[name].violation[_]
	msg := sprintf("[%s] %s", [name, violation.msg])
}

warn[msg] {
	k8s.annotations[key]
	startswith(key, "deprecated.example/")
	msg = sprintf("annotation %s is deprecated", [key])
}

by_policy[name] = amount {
	names[name]
	amount := count(policies[name].violation)
	amount > 0
}

default allow = false

allow {
	count(deny) == 0
}

response = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"allowed": allow, "uid": uid, "status": status}}

default uid = ""

uid = input.review.uid

status = {"code": 200} {
	allow
} else = {"code": 403, "message": concat("; ", sort(deny))}
