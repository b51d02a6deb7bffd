package policies.network

policy(cidr) = {"kind": "NetworkPolicy", "metadata": {}, "spec": {"podSelector": {"a": "b"}, "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]}}

test_internal {
	count(violation) == 0 with input as policy("10.4.0.0/16")
}

test_external {
	violation == {{"msg": "egress to 0.0.0.0/0 leaves the cluster"}} with input as policy("0.0.0.0/0")
}

test_selector {
	given := {"kind": "NetworkPolicy", "metadata": {}, "spec": {"podSelector": {}}}
	count(violation) == 1 with input as given
	count(violation) == 0 with input as object.union(given, {"metadata": {"annotations": {"policies.example/all-pods": "yes"}}})
}

test_open {
	open_ingress with input as {"spec": {"ingress": [{}]}}
	not open_ingress with input as {"spec": {"ingress": [{"from": []}]}}
}
