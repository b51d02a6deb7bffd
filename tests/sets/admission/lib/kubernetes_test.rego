package lib.kubernetes

test_has_field {
	has_field({"a": false}, "a")
	has_field({"a": null}, "a")
	not has_field({}, "a")
}

test_object_of_a_review {
	object == {"kind": "X"} with input as {"review": {"object": {"kind": "X"}}}
	object == {"kind": "Y"} with input as {"kind": "Y"}
}

test_pods_of_every_kind {
	count(pods) == 1 with input as {"kind": "Pod", "spec": {}}
	count(pods) == 1 with input as {"kind": "Deployment", "spec": {"template": {"spec": {}}}}
	count(pods) == 1 with input as {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {}}}}}}
	count(pods) == 0 with input as {"kind": "Service", "spec": {"template": {"spec": {}}}}
}

test_containers_of_every_kind {
	names := {c.name | containers[c]} with input as {"kind": "Pod", "spec": {
		"containers": [{"name": "a"}, {"name": "b"}],
		"initContainers": [{"name": "c"}],
	}}
	names == {"a", "b", "c"}
}

test_namespace {
	namespace == "default" with input as {"kind": "Pod", "metadata": {}}
	namespace == "x" with input as {"kind": "Pod", "metadata": {"namespace": "x"}}
}

test_annotations {
	annotations == {"a": "1"} with input as {"kind": "Pod", "metadata": {"annotations": {"a": "1"}}}
}
