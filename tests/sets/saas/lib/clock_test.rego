package lib.clock_test

import data.lib.clock

at(timestamp) := {"context": {"time": timestamp}}

test_now_without_context if clock.now == 0 with input as {}

test_now_with_nonsense if clock.now == 0 with input as at("yesterday")

test_weekday if clock.weekday == "Tuesday" with input as at("2026-03-03T10:00:00Z")

test_zone_decides if {
	clock.working_hours("Europe/Berlin") with input as at("2026-03-03T16:30:00Z")
	not clock.working_hours("Asia/Tokyo") with input as at("2026-03-03T16:30:00Z")
}

test_weekends_do_not_count if not clock.working_hours("UTC") with input as at("2026-03-07T10:00:00Z")

test_windows[note] if {
	some note, window in {
		"open": {},
		"from": {"from": "2026-03-01T00:00:00Z"},
		"to": {"to": "2026-03-04T00:00:00Z"},
		"both": {"from": "2026-03-01T00:00:00Z", "to": "2026-03-04T00:00:00Z"},
	}
	clock.within(window) with input as at("2026-03-03T10:00:00Z")
}

test_over if {
	window := {"to": "2026-03-03T10:00:00Z"}
	not clock.within(window) with input as at("2026-03-03T10:00:00Z")
}

test_age if clock.age_days("2026-02-28T11:00:00Z") == 2 with input as at("2026-03-03T10:00:00Z")
