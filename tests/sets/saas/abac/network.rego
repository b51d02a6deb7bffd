# METADATA
# title: Networks
package abac.network

import data.catalog.networks
import data.lib.subject

address := trim_space(split(input.context.forwarded_for, ",")[0])

address := input.context.ip if not input.context.forwarded_for

blocked if {
	some network in networks.blocked
	net.cidr_contains(network, address)
}

zones contains zone if {
	some zone in ["office", "vpn"]
	some network in networks[zone]
	net.cidr_contains(network, address)
}

zones contains "tenant" if {
	some network in data.directory.tenants[subject.tenant].networks
	net.cidr_contains(network, address)
}

zone := "office" if {
	"office" in zones
} else := "vpn" if {
	"vpn" in zones
} else := "tenant" if {
	"tenant" in zones
} else := "internet"

trust := {"office": 3, "vpn": 2, "tenant": 2, "internet": 0}[zone]
