package policies.images

import data.config.registries
import data.lib.exemptions
import data.lib.kubernetes as k8s

violation[{"msg": msg, "id": "image-registry"}] {
	container := k8s.containers[_]
	not exemptions.is_exempt(container)
	not allowed(container.image)
	msg := sprintf("container <%v> has the image <%v> from another registry", [container.name, container.image])
}

violation[{"msg": msg, "id": "image-tag"}] {
	container := k8s.containers[_]
	not exemptions.is_exempt(container)
	tag(container.image) == registries.forbidden_tags[_]
	msg := sprintf("container <%v> uses the tag <%v>", [container.name, tag(container.image)])
}

violation[{"msg": msg, "id": "image-digest"}] {
	registries.digests_required_in[_] == k8s.namespace
	container := k8s.containers[_]
	not contains(container.image, "@sha256:")
	msg := sprintf("container <%v> needs a digest in <%v>", [container.name, k8s.namespace])
}

allowed(image) {
	satisfied := [good | repo = registries.allowed[_]; good = startswith(image, repo)]
	any(satisfied)
}

tag(image) = "" {
	not contains(image, ":")
} else = digest {
	contains(image, "@")
	digest := split(image, "@")[1]
} else = last {
	parts := split(image, ":")
	last := parts[count(parts) - 1]
}
