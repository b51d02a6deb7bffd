package policies.security_context

import data.lib.messages

pod_with(context) = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "securityContext": context}]}}

strict = {"runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}

test_strict {
	count(violation) == 0 with input as pod_with(strict)
}

test_nothing_said {
	ids := messages.ids(violation) with input as pod_with({})
	ids == {"capabilities", "escalation", "root"}
}

test_privileged {
	violation[{"msg": "privileged: c in the Pod p is privileged", "id": "privileged"}] with input as pod_with(object.union(strict, {"privileged": true}))
}

test_users {
	not messages.ids(violation).root with input as pod_with({"runAsUser": 1000})
	ids := messages.ids(violation) with input as pod_with({"runAsUser": 0})
	ids.root
}

test_capabilities {
	ids := messages.ids(violation) with input as pod_with({"capabilities": {"add": ["net_raw"], "drop": ["all"]}, "runAsUser": 1, "allowPrivilegeEscalation": false})
	ids == {"capability"}
}

test_pod_level {
	given := {"kind": "Pod", "spec": {"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "c", "securityContext": {"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": false}}]}}
	count(violation) == 0 with input as given
}
