package policies.ingress

ingress(host, tls) = {
	"kind": "Ingress",
	"metadata": {"name": "i", "namespace": "web"},
	"spec": {"rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix"}]}}], "tls": tls},
}

inventory = {"web": {"networking.k8s.io/v1": {"Ingress": {
	"i": {"spec": {"rules": [{"host": "own.example"}]}},
	"j": {"spec": {"rules": [{"host": "taken.example"}]}},
}}}}

test_good {
	count(violation) == 0 with input as ingress("a.example", [{"hosts": ["a.example"]}])
}

test_no_tls {
	violation == {{"msg": "host \"a.example\" has no TLS"}} with input as ingress("a.example", [])
}

test_taken {
	violation == {{"msg": "host \"taken.example\" is taken by web/j"}} with input as ingress("taken.example", [{"hosts": ["taken.example"]}])
		with data.inventory.namespace as inventory
}

test_own {
	count(violation) == 0 with input as ingress("own.example", [{"hosts": ["own.example"]}])
		with data.inventory.namespace as inventory
}

test_wildcard {
	violation[{"msg": "wildcard hosts are not allowed"}] with input as ingress("*.example", [])
}

test_other_kinds {
	count(violation) == 0 with input as {"kind": "Pod", "spec": {"rules": [{"host": "x"}]}}
}
