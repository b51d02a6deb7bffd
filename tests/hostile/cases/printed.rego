# expect: wall_clock work
package hostile.printed

decision if {
	some i in numbers.range(1, 1000000)
	print(numbers.range(1, 1000))
	i == -1
}
