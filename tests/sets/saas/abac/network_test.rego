package abac.network_test

import data.abac.network

from(ip) := {"subject": {"id": "acme-000"}, "context": {"ip": ip}}

test_blocked if network.blocked with input as from("203.0.113.9")

test_not_blocked if not network.blocked with input as from("203.0.114.9")

test_zones[ip] if {
	some ip, zone in {
		"192.0.2.77": "office",
		"172.20.1.1": "vpn",
		"2001:db8:ffff::1": "vpn",
		"10.0.3.4": "tenant",
		"10.1.3.4": "internet",
		"8.8.8.8": "internet",
	}
	network.zone == zone with input as from(ip)
}

test_no_address_is_the_internet if network.zone == "internet" with input as {"subject": {"id": "acme-000"}}

test_forwarded if {
	network.address == "192.0.2.1" with input as {"context": {"ip": "8.8.8.8", "forwarded_for": "192.0.2.1, 10.0.0.1"}}
}

test_trust if network.trust == 3 with input as from("192.0.2.1")
