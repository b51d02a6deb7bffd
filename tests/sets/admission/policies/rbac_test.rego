package policies.rbac

role(rules) = {"kind": "Role", "metadata": {"name": "r"}, "rules": rules}

test_good {
	count(violation) == 0 with input as role([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
}

test_wildcards {
	violation[{"msg": "rule 0 of r grants everything"}] with input as role([{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}])
	violation[{"msg": "rule 1 of r grants everything"}] with input as role([{"verbs": []}, {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]}])
}

test_dangerous {
	violation == {{"msg": "r may get/watch secrets"}} with input as role([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch"]}])
	count(violation) == 0 with input as role([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["watch"]}])
}

test_bindings {
	binding := {"kind": "ClusterRoleBinding", "roleRef": {"name": "cluster-admin"}, "subjects": [{"name": "mallory"}, {"name": "system:masters"}]}
	violation == {{"msg": "mallory becomes an administrator"}} with input as binding
}

test_other_kinds {
	not is_role with input as {"kind": "Pod"}
}
