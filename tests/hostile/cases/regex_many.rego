# expect: wall_clock
package hostile.regex_many

decision if {
	some i in numbers.range(1, 1000000)
	regex.match(sprintf("^[a-z]{%d}(x|y)*%d$", [i % 50, i]), "abcdefghijklmnop")
}
