package lib.exemptions

test_exact {
	matches_exemption("a/b:1", "a/b:1")
	not matches_exemption("a/b:2", "a/b:1")
}

test_prefix {
	matches_exemption("a/b:2", "a/*")
	not matches_exemption("c/b:2", "a/*")
}

test_namespaces {
	namespace_exempt with input as {"kind": "Pod", "metadata": {"namespace": "kube-system"}}
	namespace_exempt with input as {"kind": "Pod", "metadata": {"namespace": "istio-system"}}
	not namespace_exempt with input as {"kind": "Pod", "metadata": {"name": "x"}}
}

test_exempt {
	review := {"review": {"object": {"kind": "Pod"}}, "parameters": {"exemptImages": ["a/*"]}}
	is_exempt({"image": "a/x"}) with input as review
	not is_exempt({"image": "b/x"}) with input as review
}
