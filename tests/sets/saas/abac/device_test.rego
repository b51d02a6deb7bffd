package abac.device_test

import data.abac.device

test_postures[posture] if {
	some posture, given in {
		"managed": {"managed": true, "agent": "2.10.0", "disk_encrypted": true},
		"outdated": {"managed": true, "agent": "2.3.9", "disk_encrypted": true},
		"personal": {"managed": false},
		"unknown": {"managed": true, "agent": "nonsense"},
	}
	device.posture == posture with input.context.device as given
}

test_no_device if device.posture == "unknown" with input as {}

test_browsers if {
	device.browser_ok with input.context.user_agent as "Mozilla/5.0 (X11; Linux) Gecko Firefox/128.0"
	device.browser_ok with input.context.user_agent as "saas-cli/1.20"
	not device.browser_ok with input.context.user_agent as "Mozilla/5.0 (X11; Linux) Gecko Firefox/99.0"
	not device.browser_ok with input as {}
}

test_platform if device.platform == "X11" with input.context.user_agent as "Mozilla/5.0 (X11; Linux)"
