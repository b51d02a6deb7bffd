# expect: work wall_clock
package hostile.swallowed_bound

# One definition's error must not be lost because another has a value.
f(_) := true

f(x) := true if concat("", [c | some i in numbers.range(1, 60); c := x]) == ""

huge := replace(sprintf("%01000000d", [0]), "0", "0123456789")

decision if f(huge)
