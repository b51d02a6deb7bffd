# expect: work wall_clock
package hostile.doubling_function

twice(s) := concat("", [s, s])

four(s) := twice(twice(s))

many(s) := four(four(four(four(s))))

decision if contains(many(many(many("0123456789abcdef"))), "x")
