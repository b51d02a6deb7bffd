package policies.network

import data.config.baseline
import data.lib.kubernetes as k8s

internal(cidr) {
	net.cidr_contains(baseline.cidrs.internal[_], cidr)
}

external[cidr] {
	k8s.kind == "NetworkPolicy"
	cidr := k8s.object.spec.egress[_].to[_].ipBlock.cidr
	not internal(cidr)
}

violation[{"msg": msg}] {
	external[cidr]
	msg := sprintf("egress to %v leaves the cluster", [cidr])
}

violation[{"msg": "a policy must select pods"}] {
	k8s.kind == "NetworkPolicy"
	k8s.object.spec.podSelector == {}
	not k8s.annotations["policies.example/all-pods"]
}

open_ingress {
	k8s.object.spec.ingress[_] == {}
}
