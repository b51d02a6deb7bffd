package lib.exemptions

import data.lib.kubernetes as k8s

# Images that are exempt, by prefix when they end in `*`.
exempt_images := object.get(k8s.gatekeeper_parameters, "exemptImages", [])

is_exempt(container) {
	img := container.image
	exemption := exempt_images[_]
	matches_exemption(img, exemption)
}

matches_exemption(img, exemption) {
	not endswith(exemption, "*")
	exemption == img
}

matches_exemption(img, exemption) {
	endswith(exemption, "*")
	prefix := trim_suffix(exemption, "*")
	startswith(img, prefix)
}

namespace_exempt {
	data.config.baseline.exempt_namespaces[_] == k8s.namespace
}

namespace_exempt {
	glob.match("kube-*", [], k8s.namespace)
}
