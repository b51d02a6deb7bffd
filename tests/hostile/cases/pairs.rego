# expect: wall_clock
package hostile.pairs

decision if {
	every x in numbers.range(1, 20000) {
		every y in numbers.range(1, 20000) {
			x != -y
		}
	}
}
