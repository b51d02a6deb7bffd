package envoy.authz_test

import data.envoy.authz

alice := "Bearer key-of-alice"

bob := "Bearer key-of-bob"

request(method, path, headers) := {
	"attributes": {"request": {"http": {"method": method, "headers": headers}}},
	"parsed_path": path,
	"parsed_body": null,
}

order(amount, who) := object.union(
	request("POST", ["orders"], {"authorization": who}),
	{"parsed_body": {"amount": amount}},
)

test_health_is_public if {
	answer := authz.allow with input as request("GET", ["health"], {"x-user": "mallory"})
	answer == {"allowed": true, "request_headers_to_remove": ["x-user"]}
}

test_the_unknown_are_asked_who_they_are if {
	every headers in [{}, {"authorization": "Bearer key-of-mallory"}, {"authorization": "key-of-alice"}] {
		answer := authz.allow with input as request("GET", ["orders"], headers)
		answer.http_status == 401
		not answer.allowed
	}
}

test_users_read_orders if {
	answer := authz.allow with input as request("GET", ["orders", "7"], {"authorization": bob})
	answer.allowed
	answer.headers == {"x-user": "bob"}
	answer.request_headers_to_remove == ["authorization"]
}

test_orders_have_limits if {
	cases := [[100, bob, true], [101, bob, false], [101, alice, true], [0, alice, false], [-5, alice, false]]
	every case in cases {
		[amount, who, allowed] := case
		answer := authz.allow with input as order(amount, who)
		answer.allowed == allowed
	}
}

test_only_admins_administer if {
	path := ["admin", "prices"]
	yes := authz.allow with input as request("GET", path, {"authorization": alice})
	yes.allowed
	no := authz.allow with input as request("GET", path, {"authorization": bob})
	no == {"allowed": false, "http_status": 403, "body": "You may not do this.\n"}
}
