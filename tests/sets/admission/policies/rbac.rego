package policies.rbac

import data.lib.kubernetes as k8s

is_role { k8s.kind == "Role" } { k8s.kind == "ClusterRole" }

wildcard(rule) {
	rule.verbs[_] == "*"
} {
	rule.resources[_] == "*"
	rule.apiGroups[_] == "*"
}

violation[{"msg": msg}] {
	is_role
	wildcard(k8s.object.rules[i])
	msg := sprintf("rule %d of %s grants everything", [i, k8s.name])
}

dangerous = {["", "secrets"], ["", "pods/exec"], ["rbac.authorization.k8s.io", "clusterrolebindings"]}

granted[[group, resource]] = verbs {
	is_role
	rule := k8s.object.rules[_]
	group := rule.apiGroups[_]
	resource := rule.resources[_]
	verbs := rule.verbs
}

violation[{"msg": msg}] {
	dangerous[pair]
	verbs := granted[pair]
	{v | v := verbs[_]} & {"get", "list", "create", "*"} != set()
	msg := sprintf("%s may %s %s", [k8s.name, concat("/", verbs), pair[1]])
}

violation[{"msg": msg}] {
	k8s.kind == "ClusterRoleBinding"
	k8s.object.roleRef.name == "cluster-admin"
	subject := k8s.object.subjects[_]
	not admin_groups[subject.name]
	msg := sprintf("%s becomes an administrator", [subject.name])
}

admin_groups[name] {
	name := data.config.baseline.admin_groups[_]
}


admin_groups["system:masters"]
