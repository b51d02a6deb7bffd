# METADATA
# title: Time
# description: The time of the question, if it has one, and what follows from it.
package lib.clock

default now := 0

now := time.parse_rfc3339_ns(input.context.time)

weekday := time.weekday(now)

hour(zone) := time.clock([now, zone])[0]

day_ns := 24 * 60 * 60 * 1000000000

# METADATA
# title: Whether the time is in a window
# description: A window has `from` and `to`, either of which may be missing.
within(window) if {
	after_start(window)
	before_end(window)
}

after_start(window) if not window.from

after_start(window) if now >= time.parse_rfc3339_ns(window.from)

before_end(window) if not window.to

before_end(window) if now < time.parse_rfc3339_ns(window.to)

working_hours(zone) if {
	not weekday in {"Saturday", "Sunday"}
	some hour_now in [hour(zone)]
	hour_now >= 8
	hour_now < 18
}

age_days(timestamp) := floor((now - time.parse_rfc3339_ns(timestamp)) / day_ns)
