# expect: work wall_clock
package hostile.prefixes

l := [sprintf("%d", [i]) | some i in numbers.range(1, 20000)]

decision if strings.any_prefix_match(l, [sprintf("x%s", [x]) | some x in l])
