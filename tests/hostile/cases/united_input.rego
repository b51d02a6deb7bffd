# expect: wall_clock work answer
# context: wide
package hostile.united_input

decision if count(object.union_n([o | some i in numbers.range(1, 500); o := {sprintf("%d", [x]): i | some x in input.context.wide}])) < 0
