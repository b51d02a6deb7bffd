# Who may do what at a small shop, asked by Envoy about every request.
#
# The result has what opa-envoy-plugin's have: `allowed`, and what else Envoy is to do.
package envoy.authz

import input.attributes.request.http

default allow := {"allowed": false, "http_status": 403, "body": "You may not do this.\n"}

# Anybody may look whether it is there, and is nobody to the service.
allow := {"allowed": true, "request_headers_to_remove": ["x-user"]} if input.parsed_path == ["health"]

allow := {
	"allowed": false,
	"http_status": 401,
	"headers": {"www-authenticate": "Bearer"},
	"body": "Who are you?\n",
} if {
	input.parsed_path != ["health"]
	not user
}

# The service gets the user's name in place of the key, whatever the client wrote there.
allow := {
	"allowed": true,
	"headers": {"x-user": user.name},
	"request_headers_to_remove": ["authorization"],
} if {
	may
}

may if {
	user
	http.method == "GET"
	input.parsed_path[0] == "orders"
}

may if {
	http.method == "POST"
	input.parsed_path == ["orders"]
	input.parsed_body.amount > 0
	input.parsed_body.amount <= user.limit
}

may if {
	"admin" in user.roles
	input.parsed_path[0] == "admin"
}

# The data has hashes: whoever reads it has no key.
user := data.users[crypto.sha256(key)]

key := parts[1] if {
	parts := split(http.headers.authorization, " ")
	parts[0] == "Bearer"
}
