# expect: wall_clock work
package hostile.products

decision if product(numbers.range(1, 100000)) > 0
