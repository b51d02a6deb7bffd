# METADATA
# title: Decisions of the API
# description: Everything that the gateway asks. An answer is allow without any deny.
# entrypoint: true
package authz.main

import data.abac.network
import data.abac.sensitivity
import data.lib.subject
import data.limits.rates
import data.roles.hierarchy
import data.routes.matching
import data.tokens.claims

default allow := false

allow if {
	count(deny) == 0
	permitted
}

allow if matching.public

# METADATA
# title: Permission
# description: Roles and relations both have to agree on documents; elsewhere each resource has its own rule.
permitted if {
	input.resource.type == "document"
	hierarchy.granted("document", input.action.name)
	data.documents.policy.related
}

permitted if {
	input.resource.type == "project"
	data.projects.policy.permitted
}

permitted if {
	not input.resource.type in {"document", "project"}
	hierarchy.granted(input.resource.type, input.action.name)
}

# METADATA
# title: Another tenant's
# custom:
#   reason: tenant
deny contains {"code": "tenant", "message": message} if {
	owner := resource_tenant
	owner != subject.tenant
	message := $"{subject.display} asks for what is {owner}'s"
}

deny contains {"code": "inactive", "message": "the account or its tenant is not active"} if {
	not subject.is_service
	not subject.active
}

deny contains {"code": "blocked", "message": concat(" ", [network.address, "is blocked"])} if network.blocked

deny contains {"code": "rate", "message": "too many requests", "headers": rates.headers} if rates.exceeded

deny contains {"code": "plan", "message": $"the {rates.tier} plan has no {input.action.name}"} if {
	rates.restricts(input.action.name)
}

deny contains object.union(violation, {"message": "the document is too sensitive"}) if {
	input.resource.type == "document"
	some violation in sensitivity.violations
}

deny contains {"code": "separation", "message": message} if {
	some [one, other] in hierarchy.conflicts
	message := $"{one} and {other} exclude each other"
}

deny contains {"code": "token", "message": claims.problem} if input.context.authorization

deny contains {"code": "scope", "message": concat(", ", sort(missing))} if {
	claims.valid
	missing := claims.missing(matching.route.scopes)
	count(missing) > 0
}

deny contains reason if {
	input.resource.type in {"document", "project"}
	some reason in data[concat("", [input.resource.type, "s"])].policy.deny
}

deny contains reason if {
	input.resource.type == "invoice"
	some reason in data.billing.policy.deny
}

resource_tenant := data.directory.documents[input.resource.id].tenant if input.resource.type == "document"

resource_tenant := input.resource.properties.tenant if input.resource.type != "document"

answer.allow := allow

answer.reasons := [reason | some reason in deny]

answer.obligations contains {"id": "mask", "patch": data.masking.response.patch} if {
	allow
	input.resource.properties.document
}

answer.obligations contains {"id": "log", "severity": data.audit.record.severity}
