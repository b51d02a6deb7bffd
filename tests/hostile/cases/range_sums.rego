# expect: wall_clock
package hostile.range_sums

decision if {
	some x in numbers.range(1, 100000)
	some y in numbers.range(1, 100000)
	x * y == -1
}
