package policies.images

pod(image) = {"kind": "Pod", "metadata": {"name": "p", "namespace": "web"}, "spec": {"containers": [{"name": "c", "image": image}]}}

ids[v.id] { v := violation[_] }

test_good {
	count(violation) == 0 with input as pod("registry.example/a:1.2")
}

test_registry {
	ids == {"image-registry"} with input as pod("docker.io/a:1.2")
}

test_tags {
	ids == {"image-tag"} with input as pod("registry.example/a:latest")
	ids == {"image-tag"} with input as pod("ghcr.io/example/a")
}

test_digest {
	input_in_prod := json.patch(pod("registry.example/a:1"), [{"op": "replace", "path": "/metadata/namespace", "value": "prod"}])
	ids == {"image-digest"} with input as input_in_prod
}

test_tag_of_a_digest {
	tag("a/b@sha256:abc") == "sha256:abc"
	tag("host:5000/b:7") == "7"
}

test_exempt {
	review := {"review": {"object": pod("docker.io/a:latest")}, "parameters": {"exemptImages": ["docker.io/*"]}}
	count(violation) == 0 with input as review
}

test_own_registries {
	count(violation) == 0 with input as pod("quay.io/a:1") with data.config.registries.allowed as ["quay.io/"]
}
