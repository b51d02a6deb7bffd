# What was taken apart before the policy was asked.
package envoy.authz

default allow := false

allow if {
	input.version == {"ext_authz": "v3", "encoding": "protojson"}
	input.parsed_path == ["people"]
	input.parsed_query.lang == ["en"]
	input.parsed_query.id == ["1", "2"]
}

allow if {
	input.attributes.request.http.method == "POST"
	not input.truncated_body
	input.parsed_body.firstname == "Charlie"
	input.parsed_body.lastname == "Opa"
}

allow if input.parsed_body == {"firstname": ["Charlie"], "lastname": ["Opa"]}
