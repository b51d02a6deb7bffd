# expect: work
package hostile.replace_grows

s := replace(replace("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a", sprintf("%01000d", [0])), "0", sprintf("%01000d", [0]))

decision if replace(s, "0", s) == ""
