# expect: result_size wall_clock
package hostile.large_answer

decision := {"allow": true, "context": {"a": numbers.range(1, 500000)}}
