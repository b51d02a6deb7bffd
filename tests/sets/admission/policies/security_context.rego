package policies.security_context

import data.lib.kubernetes as k8s
import data.lib.messages

violation[messages.format_with_id("privileged", msg)] {
	c := k8s.containers[_]
	c.securityContext.privileged
	msg = sprintf("%s in the %s %s is privileged", [c.name, k8s.kind, k8s.name])
}

violation[messages.format_with_id("escalation", msg)] {
	c := k8s.containers[_]
	allows_escalation(c)
	msg = sprintf("%s may escalate", [c.name])
}

violation[messages.format_with_id("root", msg)] {
	c := k8s.containers[_]
	not runs_as_non_root(c)
	msg = sprintf("%s may run as root", [c.name])
}

violation[messages.format_with_id("capabilities", msg)] {
	c := k8s.containers[_]
	not k8s.dropped_capability(c, "all")
	msg = sprintf("%s does not drop all capabilities", [c.name])
}

violation[messages.format_with_id("capability", msg)] {
	c := k8s.containers[_]
	cap := {"SYS_ADMIN", "NET_RAW", "SYS_PTRACE"}[_]
	k8s.added_capability(c, cap)
	msg = sprintf("%s adds %s", [c.name, cap])
}

allows_escalation(c) {
	c.securityContext.allowPrivilegeEscalation == true
}

allows_escalation(c) {
	k8s.has_field(c, "securityContext")
	not k8s.has_field(c.securityContext, "allowPrivilegeEscalation")
}

runs_as_non_root(c) {
	c.securityContext.runAsNonRoot == true
}

runs_as_non_root(c) {
	c.securityContext.runAsUser > 0
}

runs_as_non_root(_) {
	k8s.pods[pod]
	pod.spec.securityContext.runAsNonRoot
}
