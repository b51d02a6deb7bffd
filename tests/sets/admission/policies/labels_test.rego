package policies.labels

with_labels(labels) = {"kind": "Service", "metadata": {"name": "s", "namespace": "web", "labels": labels}}

test_good {
	count(violation) == 0 with input as with_labels({"app.kubernetes.io/name": "shop", "team": "web"})
}

test_missing {
	some v
	violation[v] with input as with_labels({"team": "web"})
	v.details.missing_labels == {"app.kubernetes.io/name"}
	v.msg == "you must provide labels: {\"app.kubernetes.io/name\"}"
}

test_no_labels_at_all {
	count(violation) == 1 with input as {"kind": "Service", "metadata": {"name": "s"}}
}

test_pattern {
	violation[{"msg": "label <team: Web> does not satisfy ^(core|web|data|payments)$"}] with input as with_labels({"app.kubernetes.io/name": "shop", "team": "Web"})
}

test_exempt {
	count(violation) == 0 with input as {"kind": "Service", "metadata": {"namespace": "kube-public"}}
}

test_selector {
	selector_matches with input as {"spec": {"selector": {"matchLabels": {"a": "1"}}, "template": {"metadata": {"labels": {"a": "1", "b": "2"}}}}}
	not selector_matches with input as {"spec": {"selector": {"matchLabels": {"a": "1"}}, "template": {"metadata": {"labels": {"a": "2"}}}}}
}
