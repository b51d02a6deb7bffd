# expect: wall_clock answer
package hostile.regex_long_text

text := replace(sprintf("%01000000d", [0]), "0", "a")

decision if regex.match(`(a*)*(a|aa)*[ab]{1,200}b$`, text)
