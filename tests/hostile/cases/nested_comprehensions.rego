# expect: wall_clock
package hostile.nested_comprehensions

n := numbers.range(1, 300)

decision if count([1 | some a in n; some b in n; some c in n; some d in n; a + b + c + d == 0]) > 0
