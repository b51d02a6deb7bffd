# expect: deny
package hostile.time_values

decision if {
	time.date(1e300) == []
	time.add_date(9223372036854775807, 999999999, 999999999, 999999999) > 0
	time.parse_duration_ns("99999999999999999999999h") > 0
}
