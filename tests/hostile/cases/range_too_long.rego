# expect: work
package hostile.range_too_long

decision if count(numbers.range(1, 1000000000)) > 0
