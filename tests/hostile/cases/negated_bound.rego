# expect: work
package hostile.negated_bound

decision if not count(numbers.range(1, 1000000000)) == 0
