package policies.resources

container(name, cpu, memory) = {"name": name, "resources": {
	"limits": {"cpu": cpu, "memory": memory},
	"requests": {"cpu": "100m", "memory": "64Mi"},
}}

pod(containers) = {"kind": "Pod", "spec": {"containers": containers}}

test_good {
	count(violation) == 0 with input as pod([container("a", "1", "1Gi")])
}

test_too_much {
	violation[{"msg": "container <a> may take 5368709120 bytes, more than 4294967296"}] with input as pod([container("a", 1, "5Gi")])
	count(violation) == 1 with input as pod([container("a", "2500m", "1Gi")])
}

test_missing {
	count(missing) == 4 with input as pod([{"name": "a"}])
	violation[{"msg": "container <a> has no limits for cpu"}] with input as pod([{"name": "a"}])
}

test_sums {
	given := pod([container("a", "1", "1Gi"), container("b", "1", "1Gi")])
	requested == {"a": 100, "b": 100} with input as given
	total_millis == 200 with input as given
	ratio.a == 10 with input as given
}
