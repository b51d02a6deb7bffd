package abac.device

default posture := "unknown"

posture := "managed" if {
	input.context.device.managed
	semver.compare(input.context.device.agent, "2.4.0") >= 0
	input.context.device.disk_encrypted
}

posture := "outdated" if {
	input.context.device.managed
	semver.compare(input.context.device.agent, "2.4.0") < 0
}

posture := "personal" if input.context.device.managed == false

default browser_ok := false

browser_ok if {
	some pattern in [`^Mozilla/5\.0 .*(Firefox|Chrome)/(1[2-9]\d|[2-9]\d\d)`, `^saas-cli/\d+\.\d+`]
	regex.match(pattern, input.context.user_agent)
}

platform := regex.find_all_string_submatch_n(`\((Windows|Macintosh|X11|iPhone)`, input.context.user_agent, 1)[0][1]
