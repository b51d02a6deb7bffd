# expect: answer wall_clock
# context: wide
package hostile.sorted_input

decision if sort(input.context.wide)[0] == 0
