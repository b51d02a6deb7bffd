# expect: work evaluation_error deny wall_clock
package hostile.regex_too_large

decision if regex.match(concat("", [p | some i in numbers.range(1, 10000); p := "[a-z]{100}"]), "abc")
