# expect: answer wall_clock
# context: wide
package hostile.compared_input

decision if {
	some x in input.context.wide
	x == input.context.wide[_]
	x == -1
}
