# expect: wall_clock answer
package hostile.glob

decision if {
	some i in numbers.range(1, 100000)
	glob.match(concat("", [p | some j in numbers.range(1, 100); p := sprintf("{a%d,*b}*", [i])]), [], "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac")
}
