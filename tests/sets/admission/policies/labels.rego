package policies.labels

import data.config.baseline
import data.lib.exemptions
import data.lib.kubernetes as k8s

provided = {label | k8s.labels[label]}

required = {label.key | label := baseline.required_labels[_]}

violation[{"msg": msg, "details": {"missing_labels": missing}}] {
	not exemptions.namespace_exempt
	missing := required - provided
	count(missing) > 0
	msg := sprintf("you must provide labels: %v", [missing])
}

violation[{"msg": msg}] {
	value := k8s.labels[key]
	expected := baseline.required_labels[_]
	expected.key == key
	not re_match(expected.pattern, value)
	msg := sprintf("label <%v: %v> does not satisfy %v", [key, value, expected.pattern])
}

selector_matches {
	all([same | value := k8s.object.spec.selector.matchLabels[key]; same := k8s.object.spec.template.metadata.labels[key] == value])
}
