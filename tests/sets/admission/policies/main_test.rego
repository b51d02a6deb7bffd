package policies.main

import data.fixtures

test_good_pod {
	allow with input as {"review": {"uid": "u", "object": fixtures.good}}
	response.response == {"allowed": true, "uid": "u", "status": {"code": 200}} with input as {"review": {"uid": "u", "object": fixtures.good}}
}

test_bad_pod {
	not allow with input as fixtures.bad
	by_policy == {"images": 2, "labels": 1, "resources": 4, "security_context": 3, "volumes": 1} with input as fixtures.bad
	response.response.status.code == 403 with input as fixtures.bad
}

test_exempt_namespace {
	allow with input as object.union(fixtures.bad, {"metadata": {"namespace": "kube-system"}})
}

test_warnings {
	warn == {"annotation deprecated.example/x is deprecated"} with input as {"kind": "Pod", "metadata": {"annotations": {"deprecated.example/x": "1", "y": "2"}}}
}
