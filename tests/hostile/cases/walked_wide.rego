# expect: answer wall_clock
# context: wide
package hostile.walked_wide

decision if {
	some i in numbers.range(1, 1000)
	count([p | walk(input, [p, _])]) == i
}
