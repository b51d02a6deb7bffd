# expect: wall_clock work
package hostile.sets_of_sets

decision if {
	s := {{x, y} | some x in numbers.range(1, 2000); some y in numbers.range(1, 2000)}
	count(union(s)) == count(s)
}
