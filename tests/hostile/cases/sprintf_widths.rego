# expect: work wall_clock
package hostile.sprintf_widths

decision if count(sprintf(concat("", [w | some i in numbers.range(1, 9999); w := "%9999999d"]), numbers.range(1, 9999))) > 0
