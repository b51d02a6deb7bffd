# expect: wall_clock
package hostile.with_loop

x := count(numbers.range(1, input.n))

decision if {
	some i in numbers.range(1, 100000)
	x == -1 with input.n as i % 1000
}
