# The same, with everything about the response in one object.
package envoy.authz

import input.attributes.request.http

default allow := false

allow if {
	is_token_valid
	glob.match("/people/*", ["/"], http.path)
}

headers["x-ext-auth-allow"] := "yes"

headers["x-validated-by"] := "checkpoint"

request_headers_to_remove := ["authorization", "x-internal"]

response_headers_to_add["x-tier"] := "bronze"

query_parameters_to_set := {"role": token.payload.role, "tags": ["main", "checked"]}

status_code := 200 if {
	allow
} else := 401 if {
	not is_token_valid
} else := 403

body := "who are you?" if status_code == 401

body := "not for you" if status_code == 403

dynamic_metadata := {"tier": "bronze"}

is_token_valid if token.valid

token := {"valid": valid, "payload": payload} if {
	[_, encoded] := split(http.headers.authorization, " ")
	[valid, _, payload] := io.jwt.decode_verify(encoded, {"secret": "secret"})
}

result["allowed"] := allow

result["headers"] := headers

result["response_headers_to_add"] := response_headers_to_add

result["request_headers_to_remove"] := request_headers_to_remove

result["body"] := body

result["http_status"] := status_code

result["dynamic_metadata"] := dynamic_metadata

result["query_parameters_to_set"] := query_parameters_to_set
