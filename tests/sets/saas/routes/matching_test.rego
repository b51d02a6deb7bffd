package routes.matching_test

import data.routes.matching

http(method, path) := {"context": {"http": {"method": method, "path": path}}}

test_routes[id] if {
	some id, request in {
		"documents.list": ["get", "/v1/tenants/acme/documents"],
		"documents.read": ["HEAD", "/v1/tenants/acme/documents/d-1"],
		"documents.share": ["POST", "/v1/tenants/acme/documents/d-1/shares"],
		"projects.any": ["DELETE", "/v1/tenants/acme/projects/p/tasks/7"],
		"billing.invoices": ["GET", "/v1/tenants/acme/billing/invoices/2026-01"],
		"health": ["GET", "/health/ready"],
	}
	matching.route.id == id with input as http(request[0], request[1])
}

test_no_route if {
	not matching.route with input as http("GET", "/v1/tenants/acme/documents/d/e/f")
	not matching.route with input as http("BREW", "/health")
	not matching.route with input as {}
}

test_parts if {
	request := http("GET", "/v1/tenants/acme/documents/d-1")
	matching.tenant == "acme" with input as request
	matching.object_id == "d-1" with input as request
}

test_public if matching.public with input as http("GET", "/health")

test_page_size[query] if {
	some query, size in {"limit=20": 20, "limit=9999": 500, "limit=many": 50, "": 50, "a=b&limit=007": 7}
	matching.page_size == size with input.context.http.query as query
}

test_deprecated if matching.deprecated == {"/beta/"} with input as http("GET", "/beta/x")
