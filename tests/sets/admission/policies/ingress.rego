package policies.ingress

import data.lib.kubernetes as k8s

hosts[host] {
	k8s.kind == "Ingress"
	host := k8s.object.spec.rules[_].host
}

tls_hosts[host] {
	host := k8s.object.spec.tls[_].hosts[_]
}

violation[{"msg": msg}] {
	missing := hosts - tls_hosts
	host := missing[_]
	msg := sprintf("host %q has no TLS", [host])
}

violation[{"msg": msg}] {
	host := hosts[_]
	other := data.inventory.namespace[ns]["networking.k8s.io/v1"].Ingress[name]
	not same(ns, name)
	other.spec.rules[_].host == host
	msg := sprintf("host %q is taken by %s/%s", [host, ns, name])
}

same(ns, name) {
	ns == k8s.namespace
	name == k8s.name
}

violation[{"msg": "wildcard hosts are not allowed"}] {
	host := hosts[_]
	contains(host, "*")
}

violation[{"msg": msg}] {
	path := k8s.object.spec.rules[_].http.paths[i]
	path.pathType != "Exact"
	not startswith(path.path, "/")
	msg := sprintf("path %d: %v does not begin with a slash", [i, path.path])
}
